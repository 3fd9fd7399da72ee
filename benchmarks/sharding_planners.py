"""NeuroShard against TorchRec's planner: seconds, and what the plans cost on the device (needs ``make torchrec``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, Probe
from benchmarks.sharding_ordered_cache import networks, pool
from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import GIB
from data.sharding.tasks import BenchmarkTasks, problem_of
from runs.errors import MissingDependency
from solvers.base import Budget, Solver
from solvers.sharding.greedy import Greedy
from solvers.sharding.neuroshard import NeuroShard
from solvers.sharding.torchrec_planner import TorchRecPlanner

REPEATS = {"toy": 1, "small": 6, "paper": 20}
"""Tasks: each round takes another one."""
OURS, NATIVE = "NeuroShard (ours)", "greedy by TorchRec's model (ours)"
SPLIT, WHOLE = "TorchRec, min_partition 4", "TorchRec, min_partition unset"


def cases(size: str) -> Iterator[Case]:
    """Tasks of 10 to 59 tables on 4 devices with 12 GiB, where every planner has a plan; ratios are to ours."""
    methods: dict[str, tuple[Solver, bool]] = {
        OURS: (NeuroShard(levels=2 if size == "toy" else 10), True),
        SPLIT: (TorchRecPlanner(4), False),
        WHOLE: (TorchRecPlanner(), False),
        NATIVE: (Greedy("torchrec_model"), False),
    }
    targets = [
        Target(SPLIT, "plan", CPU, 10, "at least"),
        Target(SPLIT, "cost of the plan", "ms", 1.1, "at least"),
    ]
    contenders = {name: _run(solver, learned) for name, (solver, learned) in methods.items()}
    yield Case("10 to 59 tables on 4 devices", contenders, OURS, targets)


def _run(solver: Solver, learned: bool) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        draw = BenchmarkTasks(10, 59).draw(pool(), 4, np.random.default_rng(probe.round + 1))
        problem = problem_of(draw, pool(), [12 * GIB] * 4, gpu11(), "task")
        scorer = networks(4) if learned else None
        try:
            with probe.during("plan"):
                found = solver.solve(problem, budget=Budget(seconds=600), scorer=scorer, rng=np.random.default_rng(0))
        except MissingDependency as error:
            probe.amounts = {("absent", ""): 1.0}
            probe.note = str(error)
            return
        probe.value("cost of the plan", found.objective, "ms")

    return run
