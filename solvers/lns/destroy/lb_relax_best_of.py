"""The expert of CL-LNS's data collection: many LB-RELAX-S neighbourhoods solved, the best kept."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import final

import numpy as np

from data.ilp.problem import ILP
from runs import interrupt
from runs.errors import ConfigError
from runs.record.checkpoint import State
from solvers.lns.destroy.lb_relax_s import LBRelaxS
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.repair import Repair
from solvers.lns.state import Destroy, SearchState, Selection
from solvers.milp.base import MilpSolver


@final
class LBRelaxBestOf(Destroy):
    """Draw N times as LB-RELAX-S does from one xbar, solve each sub-ILP, keep the best (docs/papers/lb_relax.md#3.6).

    Parameters
    ----------
    solver, seconds
        Back end of the sub-ILPs and the limit of each.
    draws
        N.
    eps, lp
        As in :class:`LBRelaxS`.
    """

    def __init__(
        self,
        solver: MilpSolver,
        seconds: float | None = 120.0,
        draws: int = 30,
        eps: float = 0.05,
        lp: LocalBranchingLP | None = None,
    ) -> None:
        if draws < 1:
            raise ConfigError(f"destroy.draws is {draws}; at least one neighbourhood must be drawn")
        self.draws = draws
        self.sampler = LBRelaxS(eps, lp)
        self.repair = Repair(solver, seconds)

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        self.sampler.prepare(problem)
        self.repair.prepare(problem)

    def memory(self) -> State:
        return self.sampler.memory()

    def restore(self, memory: State) -> None:
        self.sampler.restore(memory)

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        deadline = time.monotonic() + state.remaining_seconds
        best, value = Selection.nothing(state), np.inf
        for _ in range(self.draws):
            now = replace(state, remaining_seconds=max(0.0, deadline - time.monotonic()))
            if now.remaining_seconds <= 0 or interrupt.requested():
                break
            selection = self.sampler.select(now, k, rng)
            repaired = self.repair.solve(now, selection, rng)
            if repaired.objective < value or not best.free.any():
                best, value = replace(selection, repair=False, solution=repaired.assignment), repaired.objective
        return best
