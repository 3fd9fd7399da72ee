"""Assignment by MILP against all plans of tiny problems, with every back end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from solvers.base import Budget, Status
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.scip import Scip
from solvers.sharding.milp import AdditiveMilp
from solvers.sharding.weights import weights
from tests.solvers.sharding.tiny import every_plan, tiny

BACK_ENDS = {"cp_sat": CpSat(), "highs": Highs(), "scip": Scip()}


def load(problem: ShardingProblem, plan: Plan, weight: str) -> float:
    pieces = problem.pieces(plan)
    return float(np.bincount(pieces.shard, weights(problem, pieces.table, pieces.dim)[weight]).max())


def solve(solver: AdditiveMilp, problem: ShardingProblem, scorer: object = None) -> object:
    return solver.solve(problem, budget=Budget(seconds=60), scorer=scorer, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", sorted(BACK_ENDS))
@pytest.mark.parametrize(("halvings", "weight"), [(0, "torchrec_model"), (1, "lookup"), (2, "dim")])
def test_the_largest_load_is_the_least_of_all_plans(name: str, halvings: int, weight: str) -> None:
    for seed in range(3):
        problem = tiny(seed, tables=3, slack=0.3)
        narrowest = problem.dims // 2**halvings
        plans = [
            plan
            for plan in every_plan(problem)
            if (lambda pieces: (pieces.dim >= narrowest[pieces.table]).all())(problem.pieces(plan))
        ]
        least = min((load(problem, plan, weight) for plan in plans), default=None)
        found = solve(AdditiveMilp(BACK_ENDS[name], weight, halvings), problem)
        assert found.feasible == (least is not None)
        if least is not None:
            assert load(problem, Plan.of_array(found.assignment), weight) == pytest.approx(least, rel=2e-5)
            assert found.log["load"][-1] == pytest.approx(least, rel=2e-5)
            assert found.objective == problem.objective(found.assignment)


def test_costs_of_single_pieces_come_from_the_model() -> None:
    problem = tiny(1, tables=4, slack=1.0)
    found = solve(AdditiveMilp(CpSat(), "single", 0), problem, gpu11())
    alone = [
        problem.oracle.compute(problem.tables, type(p)(p.table[[i]], p.dim[[i]], np.zeros(1, np.int64)), 2, 2)[0]
        for p in [problem.pieces(Plan((), (0,) * 4))]
        for i in range(4)
    ]
    loads = [
        max(np.bincount(list(plan.devices), alone, minlength=2)) for plan in every_plan(problem) if not plan.splits
    ]
    devices = Plan.of_array(found.assignment).devices
    assert max(np.bincount(devices, alone, minlength=2)) == pytest.approx(min(loads), rel=1e-4)
    with pytest.raises(ConfigError, match="there is no cost model"):
        solve(AdditiveMilp(CpSat(), "single"), problem)


def test_where_nothing_fits_there_is_no_solution() -> None:
    problem = tiny(0, tables=2, slack=0.0)
    large = replace(problem, memory=np.array([problem.memory.sum() // 2 + 16] * 2), dims=np.array([8, 16]))
    needed = int(large.column_bytes @ large.dims)
    stuck = replace(large, memory=np.full(2, needed // 2 + 16))
    assert solve(AdditiveMilp(Highs(), halvings=0), stuck).status == Status.NO_SOLUTION


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": "dims"}, r"solver\.weight is 'dims'; did you mean 'dim'"),
        ({"halvings": -1}, r"solver\.halvings is -1"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AdditiveMilp(CpSat(), **settings)
