"""HiGHS through highspy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs.errors import SolverFailure, require
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.milp.base import OnIncumbent
from solvers.milp.highs_model import AMBIGUOUS, meaning, pass_model, quiet_highs, set_option
from solvers.milp.incumbent import Incumbent
from solvers.milp.native import Candidate, Outcome, solve_native

SMALL_MODEL = 20_000
"""Nonzeros up to which HiGHS calls back often enough to be stopped in time without a thread of its own."""


class Highs:
    """Branch and bound with HiGHS, one thread; see :class:`solvers.milp.base.MilpSolver`.

    On large models HiGHS looks at its limits too seldom: after the budget the caller gets its best so far while a thread
    finishes in the background. Full-size problems belong in :class:`solvers.milp.process.ChildProcess`.

    Parameters
    ----------
    relative_gap
        Stop when the relative gap between incumbent and bound is this small.
    presolve
        False turns presolving off.
    settings
        Further HiGHS options by name.

    Raises
    ------
    ConfigError
        When solving: an option that HiGHS refuses.
    """

    def __init__(
        self, relative_gap: float = 0.0, presolve: bool = True, settings: dict[str, Any] | None = None
    ) -> None:
        self.relative_gap = relative_gap
        self.presolve = presolve
        self.settings = dict(settings or {})

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        cutoff: float | None = None,
        rng: np.random.Generator,
        on_incumbent: OnIncumbent | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        incumbent = Incumbent(problem, budget, initial, cutoff, on_incumbent, checkpoint)
        seed = int(rng.integers(2**31 - 1))
        build = partial(_HighsModel, self, incumbent, seed)
        return solve_native(incumbent, build, partial(self.solve, rng=rng), here=problem.A.nnz <= SMALL_MODEL)


class _HighsModel:
    """One HiGHS model of one solve; objective without its offset, as a minimisation."""

    def __init__(self, solver: Highs, incumbent: Incumbent, seed: int) -> None:
        self._highspy = require("highspy", "solvers")
        self._incumbent = incumbent
        self._stop = False
        self._error: Exception | None = None
        minimal = incumbent.problem.to_min()
        self._offset = minimal.offset
        self._highs = quiet_highs()
        options: dict[str, Any] = {
            "threads": 1,
            "parallel": "off",
            "random_seed": seed,
            "mip_rel_gap": solver.relative_gap,
            "presolve": "choose" if solver.presolve else "off",
        }
        nodes = incumbent.evaluations_left
        if nodes is not None:
            options["mip_max_nodes"] = min(nodes, 2**31 - 1)
        if incumbent.cutoff is not None:
            options["objective_bound"] = incumbent.native_cutoff
        for key, value in (options | solver.settings).items():
            set_option(self._highs, key, value)
        pass_model(self._highspy, self._highs, replace(minimal, offset=0.0))
        if incumbent.start is not None:
            known = np.flatnonzero(~np.isnan(incumbent.start)).astype(np.int32)
            self._highs.setSolution(len(known), known, incumbent.start[known])

    def run(self, report: Callable[[Candidate], None]) -> Outcome:
        def on_solution(event: Any) -> None:
            data = event.data_out
            x = np.array(data.mip_solution)
            seconds = self._incumbent.meter.seconds
            report(Candidate(x, seconds, int(data.mip_node_count), self._bound(data.mip_dual_bound)))

        def on_check(event: Any) -> None:
            try:
                self._incumbent.keep()
            except Exception as error:  # must not unwind through HiGHS
                self._error, self._stop = error, True
            if self._stop or self._incumbent.meter.exhausted:
                event.interrupt()

        highs = self._highs
        highs.cbMipImprovingSolution.subscribe(on_solution)
        for event in (highs.cbMipInterrupt, highs.cbSimplexInterrupt, highs.cbIpmInterrupt):
            event.subscribe(on_check)
        own_limit = highs.getOptionValue("time_limit")[1]
        set_option(highs, "time_limit", min(self._incumbent.meter.remaining_seconds, own_limit))
        self._run()
        if self._lost_optimum():
            highs.clearSolver()
            self._run()
        highs.clearCallbacks()
        return self._outcome(report)

    def _run(self) -> None:
        ended = self._highs.run()
        if self._error is not None:
            raise self._error
        if ended == self._highspy.HighsStatus.kError:
            raise SolverFailure(f"HiGHS failed; its status is {self._highs.getModelStatus().name}")

    def _lost_optimum(self) -> bool:
        """HiGHS 1.16: when presolve improves a MIP start and the result is optimal, the plain start is returned."""
        info, c = self._highs.getInfo(), self._incumbent.problem.to_min().c
        if self._incumbent.start is None or self._highs.getModelStatus() != self._highspy.HighsModelStatus.kOptimal:
            return False
        value, claimed = float(c @ np.array(self._highs.getSolution().col_value)), info.objective_function_value
        return value > claimed + 1e-6 * max(1.0, abs(claimed))

    def _outcome(self, report: Callable[[Candidate], None]) -> Outcome:
        status, info = self._highs.getModelStatus(), self._highs.getInfo()
        nodes = max(int(info.mip_node_count), 0)
        pure_lp = not self._incumbent.problem.integer.any()
        if info.primal_solution_status == 2:  # a feasible point is there
            report(Candidate(np.array(self._highs.getSolution().col_value), self._incumbent.meter.seconds, nodes))
        if status.name == AMBIGUOUS:
            return Outcome(Status.NO_SOLUTION, math.nan, nodes, ambiguous=True)
        none_reaches_cutoff = status.name == "kObjectiveBound" and self._incumbent.cutoff is not None
        found = Status.INFEASIBLE if none_reaches_cutoff else meaning(status)
        if pure_lp:
            bound = self._bound(info.objective_function_value) if found == Status.OPTIMAL else math.nan
        else:
            bound = self._bound(info.mip_dual_bound)
        return Outcome(found, bound, nodes)

    def _bound(self, dual: float) -> float:
        if not math.isfinite(dual):
            return math.nan
        return -(dual + self._offset) if self._incumbent.problem.maximize else dual + self._offset

    def stop(self) -> None:
        self._stop = True
