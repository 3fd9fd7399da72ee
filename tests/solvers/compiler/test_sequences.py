from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solvers.base import Budget
from solvers.compiler.sequences import LeastCount, PassSequences, cut, pruned
from tests.solvers.compiler.counting_down import CountingDown, programs

SEEDS = st.integers(0, 2**31)


def edits(first: np.ndarray, second: np.ndarray) -> int:
    """Least number of insertions, deletions and replacements from one to the other."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row, before = [i], row
        for j, b in enumerate(second, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@given(SEEDS, st.integers(1, 6), st.integers(1, 5))
def test_neighbours_are_one_edit_away_and_stay_within_the_space(seed: int, longest: int, actions: int) -> None:
    rng = np.random.default_rng(seed)
    space = PassSequences(actions, longest)
    point = space.sample(rng)
    for _ in range(20):
        neighbour = space.neighbour(point, rng)
        assert edits(point, neighbour) <= 1
        assert 1 <= len(neighbour) <= longest and ((neighbour >= 0) & (neighbour < actions)).all()
        point = neighbour


@given(SEEDS)
def test_a_child_begins_as_the_one_and_ends_as_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = PassSequences(9, 6)
    first, second = space.sample(rng), space.sample(rng)
    child = space.crossover(first, second, rng).tolist()
    assert 1 <= len(child) <= 6
    joined = (
        [*first[:i].tolist(), *second[j:].tolist()][:6] for i in range(len(first) + 1) for j in range(len(second) + 1)
    )
    assert child in joined


def test_passes_are_counted_each_time_they_are_applied() -> None:
    compiler = CountingDown()
    meter = Budget(evaluations=100).start()
    objective = LeastCount(programs(b"3 1 2")[0], compiler)
    points = [np.array(sequence) for sequence in [(0, 1), (0, 1, 2), (3,), (4, 0)]]
    assert objective.values(points, meter).tolist() == [2.0, 0.0, 6.0, 6.0]
    assert meter.evaluations == 7  # the pass after one that fails is not applied
    assert (objective.best, objective.least) == ((0, 1, 2), 0)


def test_a_sequence_is_cut_at_its_first_least_count() -> None:
    program = programs(b"3 1 2")[0]
    assert cut(program, CountingDown(), (0, 2, 1, 1, 3)) == (0, 2, 1)
    assert cut(program, CountingDown(), (3, 3)) == ()


def test_passes_that_are_not_needed_are_dropped() -> None:
    program = programs(b"3 1 2")[0]
    assert pruned(program, CountingDown(), (3, 1, 0, 2, 1, 2, 3)) == (0, 1, 2)
    assert pruned(program, CountingDown(), (3, 2)) == ()


@given(st.lists(st.integers(0, 4), max_size=7).map(tuple))
def test_what_is_pruned_loses_nothing_and_has_nothing_to_lose(sequence: tuple[int, ...]) -> None:
    program, compiler = programs(b"3 1 2")[0], CountingDown()
    short = pruned(program, compiler, sequence)
    least = program.trajectory(compiler, short).least()
    assert least <= program.trajectory(compiler, sequence).least() and len(short) <= len(sequence)
    for i in range(len(short)):
        assert program.trajectory(compiler, (*short[:i], *short[i + 1 :])).least() > least


def test_what_the_budget_does_not_cover_is_cut_off() -> None:
    meter = Budget(evaluations=3).start()
    objective = LeastCount(programs(b"3 1 2")[0], CountingDown())
    assert objective.values([np.array([3, 0]), np.array([0, 1, 2])], meter).tolist() == [6.0, 3.0]
    assert (meter.evaluations, objective.best, objective.least) == (3, (0,), 3)
