"""Designs that a brush can paint: the feasible one that a linear cost likes, greedily and exactly."""
