"""Which collected sets a state is trained on, and how records survive their storage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.ilp.expert.record import ExpertRecord, ExpertStep, VariableSets
from data.ilp.expert.states import SetChoice
from data.ilp.root_lp import RootLP
from runs.errors import ConfigError

N = 12

sets = st.lists(
    st.tuples(
        st.sets(st.integers(0, N - 1), min_size=1).map(lambda s: np.array(sorted(s), np.int32)),
        st.floats(0, 100, width=32),
        st.integers(0, 9),
    ),
    max_size=8,
)
values = st.integers(-3, 3).map(float)


@st.composite
def steps(draw: st.DrawFn) -> ExpertStep:
    found = [(np.array([0, 3], np.int32), 50.0, 0), *draw(sets)]
    incumbent = np.array(draw(st.lists(values, min_size=N, max_size=N)))
    return ExpertStep(incumbent, VariableSets.of(found), draw(st.floats(0, 1)), 1.5, 0.5)


@st.composite
def records(draw: st.DrawFn) -> ExpertRecord:
    lp = RootLP(np.arange(3.0), np.ones(2), np.zeros(3), np.ones(3, np.int8), np.zeros(2, np.int8), -4.25, 0.125)
    path = tuple(draw(st.lists(steps(), max_size=3)))
    return ExpertRecord("name", "print", lp, np.zeros(N), path, draw(st.sampled_from(["", "steps"])))


@given(record=records())
def test_a_record_comes_back_as_it_was_stored(record: ExpertRecord) -> None:
    again = ExpertRecord.from_bytes(record.to_bytes())
    assert (again.name, again.fingerprint, again.end) == (record.name, record.fingerprint, record.end)
    assert (again.lp.objective, again.lp.seconds) == (-4.25, 0.125)
    np.testing.assert_array_equal(again.lp.x, record.lp.x)
    np.testing.assert_array_equal(again.incumbent, record.incumbent)
    assert len(again.steps) == len(record.steps)
    for ours, theirs in zip(again.steps, record.steps, strict=True):
        assert _content(ours) == _content(theirs)


def _content(step: ExpertStep) -> list[Any]:
    arrays = (step.incumbent, step.sets.members, step.sets.sizes, step.sets.gain, step.sets.swapped)
    return [array.tolist() for array in arrays] + [step.lb_gap, step.lb_seconds, step.perturbed_seconds]


@given(step=steps(), chosen=st.data())
def test_taken_sets_keep_members_and_labels(step: ExpertStep, chosen: st.DataObject) -> None:
    count = len(step.sets)
    order = np.array(chosen.draw(st.lists(st.integers(0, count - 1), max_size=5)), int)
    taken = step.sets.take(order)
    pieces = np.split(step.sets.members, np.cumsum(step.sets.sizes)[:-1])
    assert [piece.tolist() for piece in np.split(taken.members, np.cumsum(taken.sizes)[:-1])] == (
        [pieces[i].tolist() for i in order] or [[]]
    )
    assert taken.gain.tolist() == step.sets.gain[order].tolist()
    assert taken.set_of_member.tolist() == [i for i, size in enumerate(taken.sizes) for _ in range(size)]


def _step(entries: list[tuple[float, int]]) -> ExpertStep:
    """Sets {0}, {1}, ... with these (gain, swapped)."""
    found = [(np.array([j]), gain, swapped) for j, (gain, swapped) in enumerate(entries)]
    return ExpertStep(np.zeros(N), VariableSets.of(found), 0.0, 0.0, 0.0)


def test_good_sets_come_best_first_then_the_first_bad_ones() -> None:
    step = _step([(4, 0), (5, 0), (10, 0), (0.5, 1), (9, 1), (0.51, 1), (0.2, 2), (0, 3)])
    chosen = SetChoice(0.5, 0.05, positives_per_state=2, negatives_per_positive=1).of(step)
    assert chosen is not None
    assert (chosen[0].members.tolist(), chosen[1]) == ([2, 1, 3, 6], 2)
    wide = SetChoice(0.4, 0.051, positives_per_state=9, negatives_per_positive=9).of(step)
    assert wide is not None
    assert (wide[0].members.tolist(), wide[1]) == ([2, 1, 0, 3, 5, 6, 7], 3)


@pytest.mark.parametrize("entries", [[(10.0, 0)], [(10.0, 0), (9.0, 1)]])
def test_a_state_without_bad_sets_is_skipped(entries: list[tuple[float, int]]) -> None:
    assert SetChoice().of(_step(entries)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positive_share": 0.05, "negative_share": 0.05}, "data.positive_share is 0.05"),
        ({"negative_share": -0.1}, "data.negative_share -0.1"),
        ({"positives_per_state": 0}, "data.positives_per_state is 0"),
        ({"negatives_per_positive": 0}, "data.negatives_per_positive is 0"),
    ],
)
def test_a_choice_outside_its_range_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SetChoice(**settings)


def test_the_window_holds_the_incumbents_up_to_the_step_newest_first() -> None:
    path = tuple(
        ExpertStep(np.full(N, float(t)), VariableSets.of([(np.array([0]), 1.0, 0)]), 0.0, 0.0, 0.0) for t in range(4)
    )
    lp = RootLP(np.zeros(N), np.zeros(0), np.zeros(N), np.zeros(N, np.int8), np.zeros(0, np.int8), 0.0)
    record = ExpertRecord("r", "", lp, np.full(N, 9.0), path)
    assert [[x[0] for x in record.window(t, 3)] for t in range(4)] == [[0], [1, 0], [2, 1, 0], [3, 2, 1]]
    assert record.relaxations(2, 3) is None
