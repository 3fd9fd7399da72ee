"""Mutation (Rothberg, 2007): a random neighbourhood of a random earlier incumbent."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from solvers.lns.destroy.draw import uniform
from solvers.lns.state import Destroy, SearchState, Selection


@final
class Mutation(Destroy):
    """Pick one of the incumbent and the pool uniformly, free ``k`` random variables, fix the others at its values.

    References
    ----------
    E. Rothberg: An evolutionary algorithm for polishing mixed integer programming solutions. INFORMS J. Comput. 19 (2007).
    """

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        base = (state.incumbent, *state.pool)[int(rng.integers(1 + len(state.pool)))]
        selection = Selection.of(state, uniform(state.candidates, k, rng))
        if base is state.incumbent:
            return selection
        problem = state.problem
        fixed = problem.integer & ~selection.free
        lb, ub = np.where(fixed, base, problem.lb), np.where(fixed, base, problem.ub)
        return replace(selection, within=replace(problem, lb=lb, ub=ub))
