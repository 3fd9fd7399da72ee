"""The LP relaxation of local branching: cold, after k or the incumbent changed (docs/papers/lb_relax.md#10.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.families import FAMILIES, greedy, instance, title
from benchmarks.harness import Case
from benchmarks.measure import Probe
from data.ilp.problem import ILP
from solvers.base import Budget, Status
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.distance import distance_row, measured, with_row
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.size import NeighborhoodSize
from solvers.lns.state import SearchState
from solvers.milp.highs import Highs
from solvers.milp.lp import LPResult, PersistentLP
from solvers.milp.mathopt import MathOptLP

REPEATS = {"toy": 1, "small": 5, "paper": 3}
LIMIT = {"toy": 10.0, "small": 30.0, "paper": 60.0}
"""Seconds after which one LP is given up."""
COLD = "HiGHS dual simplex, cold"
OURS = "auto (ours)"
FORMS: dict[str, dict[str, Any]] = {
    OURS: {"rows": "auto"},
    "auto, all rows": {"rows": "all"},
    "auto, generated rows": {"rows": "generated"},
    "auto, distance priced": {"rows": "all", "distance_row": "multiplier"},
    "auto, generated rows, distance priced": {"rows": "generated", "distance_row": "multiplier"},
}
"""Settings of :class:`LocalBranchingLP` that are compared."""
MOVES = 10
"""Iterations of LB-RELAX between the two incumbents of the last case."""


def cases(size: str) -> Iterator[Case]:
    """Per family three cases, the last two from the optimum of the first; none moves where the start is optimal."""
    for family in ("MVC", "MIS", "CA"):
        problem = instance(size, family).to_min()
        k = 1000 if (size, family) == ("paper", "MIS") else FAMILIES[size][family][1]
        incumbent = greedy(problem)
        name = f"{title(family, problem)}, k {k}"
        yield cold_case(f"first LP, {name}", problem, incumbent, k, LIMIT[size])
        grown = max(k + 1, round(1.02 * k))
        yield warm_case(f"LP after k grew by 2 %, {name}", problem, (incumbent, k), (incumbent, grown), LIMIT[size])
        later = _improved(problem, incumbent, k)
        flips = int((later != incumbent).sum())
        if flips:
            moved = f"LP after the incumbent moved ({flips} flips), {name}"
            yield warm_case(moved, problem, (incumbent, k), (later, k), LIMIT[size])


def cold_case(name: str, problem: ILP, incumbent: np.ndarray, k: int, limit: float) -> Case:
    """Every algorithm from nothing, the model's hand-over included."""
    whole = _ball(problem, incumbent, k)

    def by_highs(algorithm: str, crossover: bool = True) -> Callable[[Probe], None]:
        return lambda probe: _timed(probe, lambda: PersistentLP(whole).solve(algorithm, crossover, limit))

    def by_ortools(solver: str) -> Callable[[Probe], None]:
        return lambda probe: _timed(probe, lambda: MathOptLP(solver).solve(whole, limit))

    def ours(**form: Any) -> Callable[[Probe], None]:
        def run(probe: Probe) -> None:
            lp = LocalBranchingLP(seconds=limit, **form)
            lp.prepare(problem)
            _relax(probe, lp, _state(problem, incumbent), k)

        return run

    contenders = {
        COLD: by_highs("dual_simplex"),
        "HiGHS primal simplex": by_highs("primal_simplex"),
        "HiGHS IPM": by_highs("ipm"),
        "HiGHS IPM, no crossover": by_highs("ipm", False),
        "GLOP": by_ortools("glop"),
        "PDLP": by_ortools("pdlp"),
        **{name: ours(**form) for name, form in FORMS.items()},
    }
    return Case(name, contenders, COLD, warm_up=False)


def warm_case(
    name: str, problem: ILP, before: tuple[np.ndarray, int], after: tuple[np.ndarray, int], limit: float
) -> Case:
    """The second of two LPs, each an (incumbent, k), by algorithms that keep the model of the first, or do not."""

    def kept(
        algorithm: str, crossover: bool = True, rows: Any = "all", distance_row: Any = "explicit"
    ) -> Callable[[Probe], None]:
        def run(probe: Probe) -> None:
            lp = LocalBranchingLP(seconds=limit, rows=rows, distance_row=distance_row)
            lp.prepare(problem)
            lp.relax(_state(problem, before[0]), before[1])
            lp.algorithm, lp.crossover = algorithm, crossover
            _relax(probe, lp, _state(problem, after[0]), after[1])

        return run

    def rebuilt(probe: Probe) -> None:
        _timed(probe, lambda: PersistentLP(_ball(problem, *after)).solve("dual_simplex", seconds=limit))

    contenders: dict[str, Callable[[Probe], None]] = {
        COLD: rebuilt,
        "HiGHS dual simplex, warm": kept("dual_simplex"),
        "HiGHS primal simplex, warm": kept("primal_simplex"),
        "HiGHS IPM, model kept": kept("ipm"),
        "HiGHS IPM, no crossover": kept("ipm", False),
        **{name: kept("auto", **form) for name, form in FORMS.items()},
    }
    return Case(name, contenders, COLD, warm_up=False)


def _timed(probe: Probe, solve: Callable[[], LPResult]) -> None:
    with probe.during("solve"):
        result = solve()
    if result.status != Status.OPTIMAL:
        probe.note = f"given up ({result.status})"


def _relax(probe: Probe, lp: LocalBranchingLP, state: SearchState, k: int) -> None:
    with probe.during("solve"):
        relaxation = lp.relax(state, k)
    if relaxation is None:
        probe.note = "given up"


def _ball(problem: ILP, incumbent: np.ndarray, k: int) -> ILP:
    coefficients, constant = distance_row(problem, incumbent, measured(problem, "binary"))
    return with_row(problem, coefficients, -np.inf, k - constant)


def _state(problem: ILP, incumbent: np.ndarray) -> SearchState:
    return SearchState(problem, np.arange(problem.n), incumbent, problem.objective(incumbent))


def _improved(problem: ILP, incumbent: np.ndarray, k: int) -> np.ndarray:
    """A later incumbent of the same search."""
    engine = LargeNeighborhoodSearch(LBRelax(), Highs(), size=NeighborhoodSize(initial=k), repair_seconds=2)
    budget, rng = Budget(evaluations=MOVES), np.random.default_rng(0)
    later = engine.solve(problem, budget=budget, initial=incumbent, rng=rng).assignment
    return incumbent if later is None else later
