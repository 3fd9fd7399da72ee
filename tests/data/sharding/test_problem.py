"""Plans and problems: splits by hand, memory in bytes, and what cannot be placed is said before any search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan, is_splittable, split
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import LookupLaw
from runs.errors import InvalidProblem

DIMS = np.array([16, 8, 32])
ROWS = np.array([100, 1000, 10])


def problem(**change: object) -> ShardingProblem:
    tables = LookupLaw.of_sizes(ROWS, np.array([1.0, 2.0, 3.0]), 64).tables(["a", "b", "c"], 64)
    return replace(ShardingProblem("task", tables, DIMS, np.array([40_000, 40_000]), gpu11()), **change)  # type: ignore[arg-type]


def test_a_split_halves_a_piece_and_appends_the_other_half() -> None:
    table, dim = split(DIMS, (2, 3, 0))
    assert table.tolist() == [0, 1, 2, 2, 2, 0]
    assert dim.tolist() == [8, 8, 16, 8, 8, 8]


def test_halves_are_multiples_of_four() -> None:
    assert [dim for dim in range(4, 66, 2) if is_splittable(dim)] == [8, 16, 24, 32, 40, 48, 56, 64]


@given(st.lists(st.integers(0, 40), max_size=6), st.data())
def test_splits_keep_every_column_and_a_plan_survives_its_array_form(choices: list[int], data: st.DataObject) -> None:
    splits: list[int] = []
    for choice in choices:
        legal = [index for index, dim in enumerate(split(DIMS, splits)[1]) if is_splittable(int(dim))]
        if legal:
            splits.append(legal[choice % len(legal)])
    table, dim = split(DIMS, splits)
    np.testing.assert_array_equal(np.bincount(table, weights=dim), DIMS)
    devices = tuple(data.draw(st.lists(st.integers(0, 1), min_size=len(table), max_size=len(table))))
    plan = Plan(tuple(splits), devices)
    assert Plan.of_array(plan.array()) == plan
    used = problem().memory_used(problem().pieces(plan))
    assert used.sum() == int(ROWS @ DIMS) * 4
    assert problem().is_feasible(plan.array()) == bool((used <= 40_000).all())


def test_memory_is_exact_to_the_byte() -> None:
    plan = Plan((), (0, 1, 0)).array()
    assert problem(memory=np.array([7_680, 32_000])).is_feasible(plan)
    assert not problem(memory=np.array([7_679, 32_000])).is_feasible(plan)
    assert problem(memory=np.array([3_840, 16_000]), bytes_per_weight=2).is_feasible(plan)


def test_the_objective_is_the_slowest_device_of_the_oracle() -> None:
    plan = Plan((0,), (0, 1, 0, 1))
    costs = gpu11().price(problem().tables, problem().pieces(plan), 2)
    assert problem().objective(plan.array()) == costs.device.max()
    parts = problem().components(plan)
    np.testing.assert_allclose(parts["compute"] + parts["backward"] + parts["forward"], costs.device[0])
    np.testing.assert_allclose(parts["memory"] * 2**30, [100 * 8 * 4 + 10 * 32 * 4, 32_000 + 100 * 8 * 4])


def test_rules_of_a_table_are_kept() -> None:
    pinned = problem(pinned=np.array([1, -1, -1]))
    assert pinned.is_feasible(Plan((), (1, 0, 1)).array())
    assert not pinned.is_feasible(Plan((), (0, 1, 1)).array())
    assert not pinned.is_feasible(Plan((0,), (1, 0, 1, 0)).array())
    whole = problem(most_pieces=np.array([1, 2, 2]))
    assert whole.is_feasible(Plan((1,), (1, 0, 1, 1)).array())
    assert not whole.is_feasible(Plan((0,), (1, 0, 1, 1)).array())


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan((3,), (0,) * 4), "split 0 is of piece 3; there are 3 pieces"),
        (Plan((1, 1), (0,) * 5), "split 1 halves piece 1, table 1, of dimension 4"),
        (Plan((), (0, 1)), "the plan has 2 devices for 3 pieces"),
        (Plan((), (0, 1, 2)), "the plan uses device 2; there are 2"),
    ],
)
def test_a_plan_of_other_tables_or_devices_is_refused(plan: Plan, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        problem().pieces(plan)
    assert not problem().is_feasible(plan.array())


@pytest.mark.parametrize("array", [[], [1], [5, 0, 0], [-1, 0, 0], [0.5, 1, 1], [[0, 1]]])
def test_an_array_that_is_no_plan_is_refused(array: list) -> None:
    with pytest.raises(InvalidProblem, match="a plan"):
        Plan.of_array(np.array(array))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": np.array([16, 6, 32])}, "task: table 'b': dim is 6; expected a positive multiple of 4"),
        ({"dims": np.array([16, 8])}, r"dims has shape \(2,\); expected \(3,\)"),
        ({"memory": np.array([5, 0])}, r"memory is \[5, 0\] bytes"),
        ({"memory": np.array([20_000, 19_000])}, "need .* GiB, and the 2 devices have .*; the largest is 'b'"),
        ({"memory": np.full(9, 15_000)}, "table 'b' needs 1.49e-05 GiB even in its finest pieces, and no device"),
        ({"memory": np.full(9, 17_000), "most_pieces": np.array([1, 1, 1])}, "table 'b' needs 2.98e-05 GiB even"),
        ({"most_pieces": np.array([1, 0, 1])}, "table 'b': max_pieces is 0"),
        ({"pinned": np.array([2, 0, 0])}, "table 'a': device is 2; expected 0 to 1"),
        (
            {"memory": np.array([8_000, 40_000]), "pinned": np.array([0, -1, 0]), "dims": np.array([20, 8, 32])},
            r"what is pinned to device 0 \(a, c\) needs",
        ),
    ],
)
def test_what_no_plan_can_hold_is_said_by_name(change: dict, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        problem(**change).validate()
    problem().validate()
