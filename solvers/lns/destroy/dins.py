"""DINS: distance induced neighbourhood search (Ghosh, 2007)."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.lns.destroy.draw import DIFFERENT, uniform
from solvers.lns.distance import distance_row, with_row
from solvers.lns.root_relaxation import RootRelaxation
from solvers.lns.state import Destroy, SearchState, Selection


@final
class DINS(Destroy):
    """Look for better assignments that are nearer to the LP relaxation than the incumbent is.

    Binary variables on which the incumbent, x^LP and all earlier incumbents agree are fixed (hard fixing), and of the
    others at most a share may flip (soft fixing, a local branching row). General integers within 1/2 of x^LP are fixed,
    the others stay no farther from x^LP than the incumbent (rebounding). Of all that is left, ``k`` variables drawn
    uniformly are free, so that the sub-ILPs cost what those of other heuristics do; the published method frees them all.

    Parameters
    ----------
    flips
        In (0, 1]: share of the free binaries that may leave the incumbent.
    lp
        The LP relaxation with its options.

    References
    ----------
    S. Ghosh: DINS, a MIP improvement heuristic. IPCO 2007.
    """

    def __init__(self, flips: float = 0.5, lp: RootRelaxation | None = None) -> None:
        self.lp: RootRelaxation = lp or RootRelaxation()
        if not 0 < flips <= 1:
            raise ConfigError(f"destroy.flips is {flips}; it must lie in (0, 1]")
        self.flips = flips

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        root = self.lp.solution(state)
        if root is None:
            return Selection.nothing(state)
        problem, x = state.problem, state.incumbent
        distance = np.abs(root - x)
        changed = np.any([earlier != x for earlier in state.pool], axis=0) if state.pool else np.zeros(problem.n, bool)
        eligible = np.where(problem.binary, (distance > DIFFERENT) | changed, distance >= 0.5)
        chosen = uniform(state.candidates[eligible[state.candidates]], k, rng)
        if not len(chosen):
            return Selection.nothing(state)
        selection = Selection.of(state, chosen)
        return replace(selection, within=self._within(problem, x, root, selection.free))

    def _within(self, problem: ILP, x: np.ndarray, root: np.ndarray, free: np.ndarray) -> ILP:
        """The sub-ILP: bounds closed, halved around x^LP or open, and a share of the free binaries may flip."""
        fixed, rebound, flipping = problem.integer & ~free, free & ~problem.binary, free & problem.binary
        reach = np.abs(root - x) + DIFFERENT
        lb = np.where(rebound, np.maximum(problem.lb, np.ceil(root - reach)), np.where(fixed, x, problem.lb))
        ub = np.where(rebound, np.minimum(problem.ub, np.floor(root + reach)), np.where(fixed, x, problem.ub))
        bounded = replace(problem, lb=lb, ub=ub)
        if not flipping.any():
            return bounded
        coefficients, constant = distance_row(bounded, x, flipping)
        return with_row(bounded, coefficients, -np.inf, np.ceil(self.flips * flipping.sum()) - constant)
