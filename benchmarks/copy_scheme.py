"""The peer of our repair: the paper's way to build a sub-ILP, re-implemented (docs/papers/lb_relax.md#3.8).

Each iteration copies the SCIP model of the whole problem, fixes variables by changing bounds one by one, adds the cut-off
as a row, and solves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyscipopt

from benchmarks.measure import Probe
from data.ilp.problem import ILP
from solvers.base import Status
from solvers.lns.repair import CUTOFF_SLACK, Repair, Repaired
from solvers.lns.state import SearchState, Selection
from solvers.milp.scip import Scip, load


class CopyScheme:
    """Sub-ILPs of one problem (minimisation form) as copies of one SCIP model."""

    def __init__(self, problem: ILP) -> None:
        self.problem = problem
        self.original = pyscipopt.Model()
        self.original.hideOutput()
        load(self.original, problem)

    def build(self, fixed: np.ndarray, incumbent: np.ndarray, cutoff: float) -> tuple[Any, list[Any]]:
        """The copy with ``fixed`` (n,) bool at ``incumbent`` (n,) and the cut-off row; its variables in column order."""
        model = pyscipopt.Model(sourceModel=self.original, origcopy=True)
        model.hideOutput()
        variables: list[Any] = [None] * self.problem.n
        for variable in model.getVars():
            variables[int(variable.name[1:])] = variable
        for j in np.flatnonzero(fixed).tolist():
            model.chgVarLb(variables[j], float(incumbent[j]))
            model.chgVarUb(variables[j], float(incumbent[j]))
        costs = self.problem.c.tolist()
        objective = pyscipopt.quicksum(costs[j] * variables[j] for j in range(self.problem.n))
        model.addCons(objective <= cutoff - self.problem.offset)
        return model, variables


class CopyRepair(Repair):
    """Repairs by :class:`CopyScheme` inside our engine; seconds inside SCIP go to the probe's phase ``solver``."""

    def __init__(self, scheme: CopyScheme, probe: Probe, share: float) -> None:
        super().__init__(Scip())
        self.scheme, self.probe, self.share = scheme, probe, share

    def solve(
        self, state: SearchState, selection: Selection, rng: np.random.Generator, level: float = -np.inf
    ) -> Repaired:
        rng.integers(2**31)  # as Repair.solve, so that both see the same neighbourhoods
        cutoff = max(state.objective, level) + CUTOFF_SLACK
        model, variables = self.scheme.build(state.problem.integer & ~selection.free, state.incumbent, cutoff)
        with self.probe.during("solver", share=self.share):
            model.optimize()
        if model.getNSols() == 0:
            return Repaired(Status.INFEASIBLE)
        best = model.getBestSol()
        x = np.array([model.getSolVal(best, variable) for variable in variables])
        return Repaired(Status.OPTIMAL, *self.checked(state.problem, x))
