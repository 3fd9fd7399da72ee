"""NeuroShard's search against its authors' scheme; seconds of tasks of several sizes; pricing on thousands of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, Probe
from benchmarks.sharding_ordered_cache import OrderedCacheSearch, networks, pool
from data.sharding.oracles.analytical import OuterLinks, gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.tasks import BenchmarkTasks, problem_of
from solvers.base import Budget
from solvers.sharding.neuroshard import NeuroShard

REPEATS = {"toy": 1, "small": 3, "paper": 5}
TABLES = {"toy": (10,), "small": (10, 43, 46, 55), "paper": (10, 43, 46, 55)}
AUTHORS, OURS = "a call for each shard, cached in order (authors)", "lanes (ours)"
LARGE = {"toy": (100, 8), "small": (1000, 128), "paper": (1000, 128)}
"""Tables and devices of the large search, which is on the device itself."""
ORACLE = {"toy": (400, 64), "small": (20_000, 4096), "paper": (20_000, 4096)}
"""Tables and devices of one pricing."""


def cases(size: str) -> Iterator[Case]:
    """The same networks and tasks for both schemes; then ours alone."""
    target = Target(OURS, "search", CPU, 1 / 60)
    for tables in TABLES[size]:
        levels = 2 if size == "toy" else 10
        contenders = {AUTHORS: _authors(tables, levels), OURS: _ours(tables, levels)}
        yield Case(f"{tables} tables on 4 devices", contenders, AUTHORS, [target], warm_up=False)
    many = {
        "10 to 59 tables, 4 devices": _tasks(10, 59, 15, 4),
        "40 to 99 tables, 4 devices of 12 GiB": _tasks(40, 99, 47, 12),
    }
    tables, devices = LARGE[size]
    many[f"{tables} tables, {devices} devices, the grid alone"] = _large(tables, devices, 0)
    many[f"{tables} tables, {devices} devices, whole search"] = _large(tables, devices, 1 if size == "toy" else 10)
    tables, devices = ORACLE[size]
    many[f"price of a plan, {tables} tables, {devices} devices in hosts of eight"] = _priced(tables, devices)
    yield Case("seconds of a task", many, next(iter(many)), warm_up=False)


@lru_cache(maxsize=8)
def task(tables: int, devices: int = 4, gib: float = 4, total: float = 15, most: int | None = None) -> ShardingProblem:
    """A task of the benchmark's kind."""
    draw = BenchmarkTasks(tables, most or tables, total_gib=total).draw(pool(), 4, np.random.default_rng(tables))
    return problem_of(draw, pool(), [int(gib * GIB)] * devices, gpu11(), f"{tables} tables")


def _authors(tables: int, levels: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        search = OrderedCacheSearch(task(tables), networks(4), levels=levels)
        with probe.during("search"):
            cost = search.search()
        probe.value("predicted cost", cost, "ms")
        probe.value("shards asked for", search.asked, "shards")
        probe.value("shards priced", len(search.cache), "shards")

    return run


def _ours(tables: int, levels: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        problem, costs = task(tables), networks(4)
        with probe.during("search"):
            found = NeuroShard(levels=levels).solve(
                problem, budget=Budget(seconds=600), scorer=costs, rng=np.random.default_rng(0)
            )
        probe.value("predicted cost", found.log["predicted"][-1], "ms")
        probe.value("shards priced", found.log["evaluations"][-1], "shards")

    return run


def _tasks(fewest: int, most: int, total: float, gib: float) -> Callable[[Probe], None]:
    """Five tasks; seconds are those of one."""

    def run(probe: Probe) -> None:
        costs, rng = networks(4), np.random.default_rng(probe.round + 1)
        count = 5
        for _ in range(count):
            draw = BenchmarkTasks(fewest, most, total_gib=total).draw(pool(), 4, rng)
            problem = problem_of(draw, pool(), [int(gib * GIB)] * 4, gpu11(), "task")
            with probe.during("task", share=1 / count):
                NeuroShard().solve(problem, budget=Budget(seconds=600), scorer=costs, rng=rng)

    return run


def _large(tables: int, devices: int, levels: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        problem = task(tables, devices, 64, np.inf)
        with probe.during("task"):
            NeuroShard(levels=levels, on_oracle=True).solve(
                problem, budget=Budget(seconds=600), rng=np.random.default_rng(0)
            )

    return run


def _priced(tables: int, devices: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        problem = replace(task(tables, devices, 64, np.inf), oracle=gpu11(outer=[OuterLinks(8, 0.05, 6e6)]))
        plan = Plan((), tuple(np.random.default_rng(0).integers(devices, size=tables).tolist()))
        pieces = problem.pieces(plan)
        with probe.during("task"):
            problem.oracle.price(problem.tables, pieces, devices)

    return run
