"""Whatever a solver finds keeps every memory and the rules of every table: pinned, never split, at most so many pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from runs.errors import InvalidProblem
from solvers.base import Budget
from tests.composition import composed

POOL = law_tables(30, seed=8)
CHOICES = {
    "size": ["solver=sharding/size"],
    "random": ["solver=sharding/random"],
    "neuroshard": ["solver=sharding/on_oracle", "solver.levels=4"],
    "packed": ["solver=sharding/on_oracle", "solver.levels=1", "solver.last_resort=packing"],
    "milp": ["solver=sharding/milp"],
    "local_search": ["solver=sharding/local_search", "solver.on_oracle=true"],
    "annealing": ["solver=sharding/annealing", "solver.on_oracle=true"],
    "random_search": ["solver=sharding/random_search", "solver.on_oracle=true"],
}


@st.composite
def problems(draw: st.DrawFn) -> ShardingProblem:
    """Three to six tables on two or three devices with little room; some tables have rules."""
    count, devices = draw(st.integers(3, 6)), draw(st.integers(2, 3))
    which = draw(st.lists(st.integers(0, 29), min_size=count, max_size=count))
    dims = np.array(draw(st.lists(st.sampled_from([4, 16, 32, 64]), min_size=count, max_size=count)))
    pinned = np.array(draw(st.lists(st.integers(-3, devices - 1), min_size=count, max_size=count))).clip(-1)
    most = np.array(draw(st.lists(st.sampled_from([1, 2, 3, 8]), min_size=count, max_size=count)))
    tables = POOL.take(which)
    room = draw(st.floats(1.05, 2.0)) * float(tables.rows @ dims) * 4 / devices
    return ShardingProblem("task", tables, dims, np.full(devices, int(room)), gpu11(), 4, pinned, most)


@pytest.fixture(scope="module", params=sorted(CHOICES))
def solver(request: pytest.FixtureRequest) -> Any:
    return instantiate(composed(*CHOICES[request.param]).solver, _convert_="all")


@given(problem=problems())
@settings(max_examples=12, suppress_health_check=[HealthCheck.filter_too_much])
def test_no_solver_breaks_a_rule(solver: Any, problem: ShardingProblem) -> None:
    try:
        problem.validate()
    except InvalidProblem:
        return
    budget = Budget(seconds=20, evaluations=400)
    found = solver.solve(problem, budget=budget, rng=np.random.default_rng(0))
    assert found.assignment is None or found.feasible, (
        f"{problem.pinned}, {problem.most_pieces}, {problem.memory / GIB}"
    )
