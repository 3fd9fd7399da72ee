"""The search over plans: lanes equal the scalar engine, memory is kept, and what the method rests on is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11, nvlink
from data.sharding.plan import Plan, split
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, problem_of
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.base import Budget, Status
from solvers.sharding.greedy import RULES, Greedy
from solvers.sharding.lanes import Pricing, place
from solvers.sharding.neuroshard import NeuroShard
from solvers.sharding.scalar import ScalarEngine

POOL = law_tables(200, seed=11)
EVER = Budget(seconds=600)


def task(seed: int, most: int = 20, devices: int = 4, gib: float = 4, **settings: Any) -> ShardingProblem:
    tasks = BenchmarkTasks(10, most, **settings)
    draw = tasks.draw(POOL, 4, np.random.default_rng(seed))
    return problem_of(draw, POOL, [int(gib * GIB)] * devices, gpu11(), f"task{seed}")


def solve(solver: Any, problem: ShardingProblem, model: Any = None, budget: Budget = EVER) -> Any:
    return solver.solve(problem, budget=budget, scorer=model, rng=np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(6))
def test_lanes_place_as_the_scalar_engine_does(seed: int) -> None:
    problem = task(seed)
    lists = [(), *((i,) for i in range(len(problem.dims)) if problem.dims[i] >= 8)][:5]
    same_length = [splits for splits in lists if len(splits) == 1] or [()]
    pieces = [split(problem.dims, splits) for splits in same_length]
    table, dim = (np.stack(column) for column in zip(*pieces, strict=True))
    scales = np.append(np.linspace(1, 1.5, 7), np.inf) if seed % 2 else np.array([1.05, 1.3, np.inf])
    placed = place(Pricing(problem, gpu11(), EVER.start()), table, dim, scales)
    assert placed is not None
    engine = ScalarEngine(problem, gpu11())
    for lane, (i, j) in enumerate((i, j) for i in range(len(pieces)) for j in range(len(scales))):
        devices, cost = engine.place(list(zip(table[i].tolist(), dim[i].tolist(), strict=True)), scales[j])
        assert placed.cost[lane] == pytest.approx(cost, rel=1e-12)
        if devices is not None:
            assert placed.devices[lane].tolist() == devices
            plan = Plan(same_length[i], tuple(devices))
            assert problem.objective(plan.array()) == pytest.approx(cost, rel=1e-12), "the oracle is the model here"
    assert 0 < engine.hits < engine.asked


def test_the_search_asks_the_oracle_only_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle, model, asked = gpu11(), gpu11(), []
    for whose, device in (("oracle", oracle), ("model", model)):
        for name in ("describe", "fused", "compute", "backward_communication", "forward_communication"):
            real = getattr(device, name)
            told = lambda *given, real=real, whose=whose: (asked.append(whose), real(*given))[1]  # noqa: E731
            monkeypatch.setattr(device, name, told)
    found = solve(NeuroShard(levels=2), replace(task(0), oracle=oracle), model)
    assert found.feasible
    first = asked.index("oracle")
    assert set(asked[first:]) == {"oracle"}
    assert asked.count("oracle") == 10, "once for the plans held on the way, once for the last"


def test_an_oracle_that_raises_does_not_disturb_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise SolverFailure("measured")

    whole: list[Any] = []
    problem = replace(task(0), oracle=gpu11())
    monkeypatch.setattr(problem.oracle, "price", refuse)
    monkeypatch.setattr("solvers.sharding.neuroshard.answer", lambda *given: whole.append(given))
    solve(NeuroShard(levels=2), problem, gpu11())
    ((_, plan, _, held, log),) = whole
    assert problem.is_feasible(plan.array())
    assert len(log["predicted"]) == 3
    assert held[-1].plan is plan


def test_the_trace_has_the_price_of_every_plan_that_was_held() -> None:
    problem = task(2)
    found = solve(NeuroShard(levels=6), problem, gpu11())
    on_itself = found.log["predicted"]  # the model is the oracle here
    assert found.trace.objective[-1] == found.objective
    assert len(found.trace) > 2
    np.testing.assert_allclose(
        found.trace.objective[:-1], on_itself[np.flatnonzero(np.diff(on_itself, prepend=np.inf))]
    )


def test_every_plan_is_checked_and_priced_by_the_problem_and_predicted_costs_only_fall() -> None:
    for seed in range(4):
        problem = task(seed)
        found = solve(NeuroShard(levels=4), problem, gpu11())
        assert found.feasible and problem.is_feasible(found.assignment)
        assert found.objective == problem.objective(found.assignment)
        assert found.log["predicted"][-1] == pytest.approx(found.objective, rel=1e-12)
        assert (np.diff(found.log["predicted"]) <= 0).all()
        assert found.log["evaluations"][-1] > 0


def test_beam_and_grid_each_help_and_greedy_rules_are_behind() -> None:
    ratios: dict[str, list[float]] = {name: [] for name in ("beam", "grid", "neither", *RULES)}
    for seed in range(8):
        problem = task(seed, most=30)
        whole = solve(NeuroShard(levels=5), problem, gpu11()).objective
        others = {
            "beam": NeuroShard(levels=5, scales=0),
            "grid": NeuroShard(levels=0),
            "neither": NeuroShard(levels=0, scales=0),
        }
        others |= {rule: Greedy(rule) for rule in RULES}  # type: ignore[dict-item]
        for name, solver in others.items():
            found = solve(solver, problem, gpu11())
            if found.feasible:
                ratios[name].append(found.objective / whole)
    mean = {name: float(np.exp(np.mean(np.log(values)))) for name, values in ratios.items() if values}
    assert mean["beam"] > 1.01
    assert mean["grid"] > 1.01
    assert min(mean[rule] for rule in RULES if rule in mean) > 1.03
    assert mean["neither"] > mean["grid"]


def test_splits_create_room_and_overflow_finds_it_where_infinity_is_blind() -> None:
    tables = law_tables(3, seed=1).take([0, 0, 0])
    rows = np.array([1_000_000] * 3)
    problem = ShardingProblem(
        "tight", replace(tables, rows=rows), np.array([64, 64, 64]), np.full(2, 100 * 4_000_000), gpu11()
    )
    assert solve(Greedy("size"), problem).status == Status.NO_SOLUTION
    assert solve(NeuroShard(levels=0), problem, gpu11()).status == Status.NO_SOLUTION
    assert solve(NeuroShard(levels=2), problem, gpu11()).feasible


def test_rules_of_tables_bind_the_search() -> None:
    problem = task(2)
    pinned = np.full(len(problem.dims), -1)
    pinned[:2] = 3
    bound = replace(problem, pinned=pinned, most_pieces=np.ones(len(problem.dims), np.int64))
    found = solve(NeuroShard(levels=3), bound, gpu11())
    assert found.feasible
    plan = Plan.of_array(found.assignment)
    assert plan.splits == ()
    assert plan.devices[:2] == (3, 3)


def test_another_model_finds_another_plan_and_a_better_model_the_better_one() -> None:
    worse = [solve(NeuroShard(levels=2), task(seed), nvlink()).objective for seed in range(5)]
    better = [solve(NeuroShard(levels=2), task(seed), gpu11()).objective for seed in range(5)]
    assert np.mean(better) < np.mean(worse)
    on_oracle = [solve(NeuroShard(levels=2, on_oracle=True), task(seed)).objective for seed in range(5)]
    assert on_oracle == better


def test_the_budget_ends_the_search_with_its_best_so_far() -> None:
    problem = task(1, gib=16)
    first = solve(NeuroShard(), problem, gpu11()).log["evaluations"][0]
    found = solve(NeuroShard(), problem, gpu11(), Budget(evaluations=int(first) + 1))
    assert found.feasible
    assert len(found.log["evaluations"]) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": 0}, r"solver\.candidates is 0"),
        ({"width": 0}, r"solver\.width is 0"),
        ({"levels": -1}, r"solver\.levels is -1"),
        ({"largest_scale": 0.9}, r"solver\.largest_scale is 0\.9"),
        ({"by": "size"}, r"solver\.by is 'size'; choose memory, cost, both"),
        ({"infeasible_key": "none"}, r"solver\.infeasible_key is 'none'"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NeuroShard(**settings)


def test_what_cannot_be_searched_is_said() -> None:
    with pytest.raises(ConfigError, match="choose one with model=sharding"):
        solve(NeuroShard(), task(0))
    with pytest.raises(ConfigError, match=r"solver\.weight is 'rows'"):
        Greedy("rows")
    with pytest.raises(InvalidProblem, match="the tables need"):
        solve(NeuroShard(), replace(task(0), memory=np.full(4, 1000)), gpu11())
