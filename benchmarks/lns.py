"""LNS against plain SCIP, HiGHS and CP-SAT, and CP-SAT's own LNS, at equal time: primal integrals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np

from benchmarks.families import FAMILIES, instance, title
from benchmarks.harness import Case
from benchmarks.measure import Probe
from data.ilp.problem import ILP
from runs.anytime import Trace, primal_gap, primal_integral
from solvers.base import Budget, Solver
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.lb_relax_s import LBRelaxS
from solvers.lns.destroy.random import Random
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.size import NeighborhoodSize
from solvers.lns.start import Greedy
from solvers.lns.state import Destroy
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip

REPEATS = {"toy": 1, "small": 3, "paper": 3}
"""Instances per family: each round takes another one."""
SECONDS = {"toy": 1.5, "small": 5.0, "paper": 60.0}
"""Wall-clock budget of every method on every instance, the initial solution included."""
BASELINE = "SCIP"


def cases(size: str) -> Iterator[Case]:
    """One case per family; v* is the best value that any method found on the instance."""
    for family in FAMILIES[size]:
        k = FAMILIES[size][family][1]
        seconds = SECONDS[size]
        contenders = {name: _run(solver, size, family, seconds) for name, solver in methods(k).items()}
        name = f"{title(family, _instance(size, family, 0))}, {seconds:g} s each"
        yield Case(name, contenders, BASELINE, score=partial(_score, seconds), warm_up=False)


def methods(k: int) -> dict[str, Solver]:
    """The methods, all on one thread; ours with HiGHS for sub-ILPs, a greedy start and xbar reused (``lns: small``)."""

    def lns(destroy: Destroy) -> Solver:
        return LargeNeighborhoodSearch(destroy, Highs(), Greedy(), NeighborhoodSize(initial=k))

    return {
        "SCIP": Scip(),
        "HiGHS": ChildProcess(Highs()),
        "CP-SAT": CpSat(),
        "CP-SAT LNS with lb_relax": CpSat(lns_only=True, lb_relax_lns=True),
        "random (ours)": lns(Random()),
        "lb_relax (ours)": lns(LBRelax(lp=LocalBranchingLP(reuse=True))),
        "lb_relax_s (ours)": lns(LBRelaxS(lp=LocalBranchingLP(reuse=True))),
    }


def _run(solver: Solver, size: str, family: str, seconds: float) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        problem = _instance(size, family, probe.round)
        rng = np.random.default_rng(probe.round)
        probe.result = solver.solve(problem, budget=Budget(seconds=seconds), rng=rng).trace

    return run


@lru_cache(maxsize=2)
def _instance(size: str, family: str, seed: int) -> ILP:
    return instance(size, family, seed)


def _score(seconds: float, rounds: Sequence[Mapping[str, Probe]]) -> None:
    """Replace times, equal by design, by primal integral and final gap."""
    for probes in rounds:
        traces: dict[str, Trace] = {name: probe.result for name, probe in probes.items()}
        finals = [float(trace.value_at(seconds)) for trace in traces.values() if len(trace)]
        best = np.nanmax(finals) if next(iter(traces.values())).maximize else np.nanmin(finals)
        for name, probe in probes.items():
            probe.amounts.clear()
            probe.value("primal integral", primal_integral(traces[name], seconds, best), "s")
            probe.value("primal gap at the end", 100 * float(primal_gap(traces[name].value_at(seconds), best)), "%")
