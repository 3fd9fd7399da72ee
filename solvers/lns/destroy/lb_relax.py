"""LB-RELAX: the k variables that the LP relaxation of local branching moves most."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from runs.errors import ConfigError
from solvers.lns.destroy.draw import largest
from solvers.lns.destroy.local_branching_relaxation import LocalBranchingRelaxation
from solvers.lns.local_branching_lp import LocalBranchingLP


@final
class LBRelax(LocalBranchingRelaxation):
    """Free the ``k`` largest Delta (docs/papers/lb_relax.md#3.6).

    Parameters
    ----------
    ties
        ``"random"`` breaks ties uniformly (there are many: on vertex cover every Delta > 0 is 1/2); ``"order"`` by
        variable order, as the stable sort of the released code does; ``"reduced_cost"`` by the smaller absolute reduced
        cost, so that among variables the LP leaves alone those come first that it would move most cheaply, then at random.
    lp
        The LP of local branching with its options.
    """

    def __init__(
        self, ties: Literal["random", "order", "reduced_cost"] = "random", lp: LocalBranchingLP | None = None
    ) -> None:
        if ties not in ("random", "order", "reduced_cost"):
            raise ConfigError(f"destroy.ties is '{ties}'; choose 'random', 'order' or 'reduced_cost'")
        super().__init__(lp)
        self.ties = ties

    def draw(self, delta: np.ndarray, reduced: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        least = reduced if self.ties == "reduced_cost" else None
        return largest(delta, k, None if self.ties == "order" else rng, least)
