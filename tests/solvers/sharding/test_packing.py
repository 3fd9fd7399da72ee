"""Exact packing against all plans of tiny problems, and as the last resort of the search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from runs.errors import ConfigError
from solvers.base import Budget, Status
from solvers.sharding.assignment_ilp import candidates
from solvers.sharding.neuroshard import NeuroShard
from solvers.sharding.packing import pack
from tests.solvers.sharding.tiny import every_plan, tiny

EVER = Budget(seconds=600)


@pytest.mark.parametrize("seed", range(12))
def test_a_packing_has_as_few_pieces_as_any_plan_and_is_found_where_there_is_one(seed: int) -> None:
    problem = tiny(seed, slack=0.001 if seed % 2 else 0.08)
    fewest = min((len(plan.devices) for plan in every_plan(problem)), default=None)
    plan = pack(problem, 60, np.random.default_rng(seed))
    assert (plan is None) == (fewest is None)
    if plan is not None:
        assert problem.is_feasible(plan.array())
        assert len(plan.devices) == fewest


def test_memory_is_packed_to_the_byte() -> None:
    tables = replace(law_tables(3, seed=1), rows=np.array([1_000_003, 2_000_003, 3_000_006]))
    exact = ShardingProblem("exact", tables, np.array([4, 4, 4]), np.full(2, 3_000_006 * 16), gpu11())
    plan = pack(exact, 60, np.random.default_rng(0))
    assert plan is not None and plan.devices[0] == plan.devices[1] != plan.devices[2]
    assert pack(replace(exact, memory=exact.memory - 1), 60, np.random.default_rng(0)) is None


def test_rules_of_tables_bind_a_packing() -> None:
    problem = tiny(3, slack=0.3)
    free = candidates(problem)
    assert set(free.dim.tolist()) == {4, 8, 16} & set(free.dim.tolist())
    pinned = np.array([1, -1, -1])
    held = candidates(replace(problem, pinned=pinned, most_pieces=np.array([9, 1, 2])))
    assert set(held.shard[held.table == 0].tolist()) == {1}
    assert set(held.dim[held.table == 1].tolist()) == {int(problem.dims[1])}
    bound = replace(problem, pinned=pinned, most_pieces=np.ones(3, np.int64))
    plan = pack(bound, 60, np.random.default_rng(0))
    assert plan is None or bound.is_feasible(plan.array())


def tight() -> ShardingProblem:
    """One table is a little too large for two thirds of it, and no two splits of the beam make room."""
    tables = law_tables(5, seed=1).take([0] * 5)
    rows = np.array([1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000])
    memory = np.full(4, (5 * 64 * 4_000_000) // 4)
    return ShardingProblem("tight", replace(tables, rows=rows), np.full(5, 64), memory, gpu11())


def test_packing_finds_a_plan_where_the_beam_has_none_and_its_cost_is_improved() -> None:
    def solve(**settings: object) -> object:
        solver = NeuroShard(levels=1, **settings)  # type: ignore[arg-type]
        return solver.solve(tight(), budget=EVER, scorer=gpu11(), rng=np.random.default_rng(0))

    without, found = solve(), solve(last_resort="packing")
    assert without.status == Status.NO_SOLUTION
    assert found.feasible
    raw = pack(tight(), 60, np.random.default_rng(0))
    assert raw is not None
    assert found.objective <= tight().objective(raw.array())
    assert found.log["predicted"][-1] == pytest.approx(found.objective, rel=1e-12)
    assert len(Plan.of_array(found.assignment).splits) >= 2


def test_another_last_resort_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"solver\.last_resort is 'pack'; choose packing"):
        NeuroShard(last_resort="pack")
