"""Linear solvers as layers: gradients through an argmin, and searches that steer one to good solutions of another cost."""
