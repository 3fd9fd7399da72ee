"""Static features of the bipartite graph against Python loops over columns (docs/papers/cl_lns.md#13.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.families import instance, title
from benchmarks.feature_loops import loop_features
from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from data.ilp.features.static import static_features
from data.ilp.problem import ILP
from solvers.milp.root_lp import solve_root_lp

REPEATS = {"toy": 1, "small": 3, "paper": 3}
LOOPS, OURS = "loops over columns", "segments (ours)"
FIFTIETH = 1 / 50


def cases(size: str) -> Iterator[Case]:
    """Per family all 95 + 10 + 2 features, the root LP apart."""
    for family in ("MIS", "MVC", "CA", "SC"):
        yield case(title(family, problem := instance(size, family).to_min()), problem)


def case(name: str, problem: ILP) -> Case:
    """Both schemes at the same root vertex."""
    lp = solve_root_lp(problem)

    def loops(probe: Probe) -> None:
        with probe.during("features"):
            loop_features(problem, lp)

    def ours(probe: Probe) -> None:
        fresh = replace(problem)  # without the cached column-wise copy of A
        with probe.during("features"):
            static_features(fresh, lp)
        with probe.during("root LP"):
            solve_root_lp(fresh)

    targets = [Target(OURS, "features", unit, FIFTIETH) for unit in (WALL, CPU)]
    return Case(name, {LOOPS: loops, OURS: ours}, LOOPS, targets)
