"""Sub-ILPs of LNS, one alone and the engine's iteration, against the copy scheme (docs/papers/lb_relax.md#10.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import highspy
import numpy as np
import pyscipopt

from benchmarks.copy_scheme import CopyRepair, CopyScheme
from benchmarks.families import FAMILIES, greedy, instance, title
from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from data.ilp.problem import ILP
from data.ilp.reduce import Reducer
from solvers.base import Budget
from solvers.lns.destroy.random import Random
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.repair import CUTOFF_SLACK
from solvers.lns.size import NeighborhoodSize
from solvers.milp import cpsat, highs, native, scip
from solvers.milp.highs_model import pass_model, quiet_highs

REPEATS = {"toy": 1, "small": 7, "paper": 5}
COPY = "SCIP, copied (paper)"
OURS = "HiGHS, reduced (ours)"
BUILD, BOTH = "build", "build + solve"
NEIGHBORHOODS = 4
"""Sub-ILPs per round; a round's amounts are their mean."""
ITERATIONS = {"toy": 3, "small": 30, "paper": 20}
JOBS = {size: [(size, family, FAMILIES[size][family][1]) for family in ("MVC", "MIS", "CA")] for size in FAMILIES}
JOBS["paper"] = [
    ("paper", "MVC", 100),
    ("paper", "MIS", 1000),
    ("paper", "MIS", 3000),
    ("small", "CA", 200),
    ("paper", "CA", 1000),
]
"""Size of the instance, family and k; at paper size those of docs/papers/lb_relax.md#10.1, and the k of CL-LNS on
independent sets (docs/papers/cl_lns.md#13.4)."""


def cases(size: str) -> Iterator[Case]:
    """Per job: one sub-ILP, then the engine."""
    for scale, family, k in JOBS[size]:
        problem = instance(scale, family).to_min()
        job = SubIlp(problem, greedy(problem), k)
        name = f"{title(family, problem)}, k {k}"
        yield Case(f"one sub-ILP, {name}", job.contenders(), COPY)
        yield engine_case(f"iterations of LNS, {name}", job, ITERATIONS[size])


class SubIlp:
    """Random neighbourhoods of one incumbent, built and solved in six ways."""

    def __init__(self, problem: ILP, incumbent: np.ndarray, k: int) -> None:
        self.problem, self.incumbent, self.k = problem, incumbent, k
        self.cutoff = problem.objective(incumbent) + CUTOFF_SLACK
        self.scheme = CopyScheme(problem)
        self.reducer = Reducer(problem)
        self._scip = pyscipopt.Model()
        self._scip.hideOutput()
        self._scip.setParam("limits/maxorigsol", 0)
        self._variables = scip.load(self._scip, problem)
        self._highs = quiet_highs()
        pass_model(highspy, self._highs, problem)
        for option, value in {"threads": 1, "parallel": "off", "mip_rel_gap": 0.0}.items():
            self._highs.setOptionValue(option, value)

    def contenders(self) -> dict[str, Callable[[Probe], None]]:
        ours = {
            "SCIP, reduced": (scip, scip.Scip()),
            OURS: (highs, highs.Highs()),
            "CP-SAT, reduced": (cpsat, cpsat.CpSat()),
        }
        return {
            COPY: self._each(self._copied),
            "SCIP, bounds changed": self._each(self._scip_bounds),
            "HiGHS, bounds changed": self._each(self._highs_bounds),
            **{name: self._each(self._reduced(*back_end)) for name, back_end in ours.items()},
        }

    def _each(self, way: Callable[[Probe, np.ndarray], None]) -> Callable[[Probe], None]:
        def run(probe: Probe) -> None:
            rng = np.random.default_rng(probe.round + 1)
            for _ in range(NEIGHBORHOODS):
                fixed = np.ones(self.problem.n, bool)
                fixed[rng.choice(self.problem.n, self.k, replace=False)] = False
                way(probe, fixed)

        return run

    def _copied(self, probe: Probe, fixed: np.ndarray) -> None:
        with _both(probe):
            with _build(probe):
                model, _ = self.scheme.build(fixed, self.incumbent, self.cutoff)
            model.optimize()

    def _scip_bounds(self, probe: Probe, fixed: np.ndarray) -> None:
        model = self._scip
        with _both(probe):
            with _build(probe):
                model.freeTransform()
                lb, ub = self._bounds(fixed)
                for variable, low, high in zip(self._variables, lb.tolist(), ub.tolist(), strict=True):
                    model.chgVarLb(variable, low)
                    model.chgVarUb(variable, high)
                model.setObjlimit(self.cutoff - self.problem.offset)
            model.optimize()

    def _highs_bounds(self, probe: Probe, fixed: np.ndarray) -> None:
        with _both(probe):
            with _build(probe):
                columns = np.arange(self.problem.n, dtype=np.int32)
                self._highs.changeColsBounds(len(columns), columns, *self._bounds(fixed))
                self._highs.setOptionValue("objective_bound", self.cutoff)
            self._highs.run()

    def _reduced(self, module: ModuleType, solver: Any) -> Callable[[Probe, np.ndarray], None]:
        """Our repair's own steps, with the back end as it is."""

        def way(probe: Probe, fixed: np.ndarray) -> None:
            with watched(module, probe, BUILD, "solver", 1 / NEIGHBORHOODS), _both(probe):
                with _build(probe):
                    reduction = self.reducer.reduce(fixed, self.incumbent)
                budget, rng = Budget(seconds=120), np.random.default_rng(0)
                solver.solve(reduction.problem, budget=budget, cutoff=self.cutoff, rng=rng)
            for unit in (WALL, CPU):
                probe.amounts.pop(("solver", unit))

        return way

    def _bounds(self, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lb, ub = self.problem.lb, self.problem.ub
        return np.where(fixed, self.incumbent, lb), np.where(fixed, self.incumbent, ub)


def _build(probe: Probe) -> Any:
    return probe.during(BUILD, share=1 / NEIGHBORHOODS)


def _both(probe: Probe) -> Any:
    return probe.during(BOTH, share=1 / NEIGHBORHOODS)


@contextmanager
def watched(module: ModuleType, probe: Probe, building: str, solving: str, share: float) -> Iterator[None]:
    """Time what a back end does inside its worker thread: making the native model, and the native solve itself."""

    class Watched:
        def __init__(self, model: native.Native) -> None:
            self.model, self.stop = model, model.stop

        def run(self, report: Callable[[native.Candidate], None]) -> native.Outcome:
            with probe.during(solving, share=share):
                return self.model.run(report)

    def solve_native(incumbent: Any, build: Callable[[], native.Native], *arguments: Any, **options: Any) -> Any:
        def watched_build() -> native.Native:
            with probe.during(building, share=share):
                return Watched(build())

        return native.solve_native(incumbent, watched_build, *arguments, **options)

    with patch.object(module, "solve_native", solve_native):
        yield


def engine_case(name: str, job: SubIlp, iterations: int) -> Case:
    """The same loop, random destroy, constant k: our repair against the copy scheme; overhead is all but the solver."""

    def ours(probe: Probe) -> None:
        with watched(highs, probe, "model", "solver", 1 / iterations):
            _iterate(probe, _engine(job.k), job, iterations)

    def copied(probe: Probe) -> None:
        engine = _engine(job.k)
        engine.repair = CopyRepair(job.scheme, probe, 1 / iterations)
        _iterate(probe, engine, job, iterations)

    engine = "engine (ours)"
    targets = [Target(engine, "overhead per iteration", unit, 1 / 20) for unit in (WALL, CPU)]
    targets += [Target(engine, "iterations", f"1/{unit}", 10, "at least") for unit in (WALL, CPU)]
    return Case(name, {"engine, SCIP copied (paper)": copied, engine: ours}, "engine, SCIP copied (paper)", targets)


def _engine(k: int) -> LargeNeighborhoodSearch:
    return LargeNeighborhoodSearch(Random(), highs.Highs(), size=NeighborhoodSize(initial=k, growth=1.0, rule="paper"))


def _iterate(probe: Probe, engine: LargeNeighborhoodSearch, job: SubIlp, iterations: int) -> None:
    budget, rng = Budget(evaluations=iterations), np.random.default_rng(probe.round + 1)
    with probe.during("iteration", share=1 / iterations):
        engine.solve(job.problem, budget=budget, initial=job.incumbent, rng=rng)
    for unit in (WALL, CPU):
        seconds = probe.amounts["iteration", unit]
        solver = probe.amounts.pop(("solver", unit))
        probe.amounts.pop(("model", unit), None)
        probe.value("overhead per iteration", seconds - solver, unit)
        probe.value("iterations", 1 / seconds, f"1/{unit}")
