"""Every method on one loop: it finds a known optimum, asks for no point twice, and goes on where it was stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runs import interrupt
from runs.errors import ConfigError
from runs.record.checkpoint import FileCheckpoint
from solvers.base import Budget
from solvers.gradient_free.annealing import Annealing
from solvers.gradient_free.genetic import Genetic
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.method import Method
from solvers.gradient_free.random_search import RandomSearch
from solvers.gradient_free.search import GradientFreeSearch
from solvers.gradient_free.space import Memo
from solvers.lns.accept.late_acceptance import LateAcceptance
from solvers.lns.accept.strict import Strict
from tests.solvers.gradient_free.spaces import Bits, Ones

METHODS: dict[str, Callable[[], Method]] = {
    "annealing": Annealing,
    "annealing_in_batches": lambda: Annealing(batch=4),
    "genetic": lambda: Genetic(6, 4),
    "late_acceptance": lambda: Annealing(LateAcceptance(5)),
    "local_search": lambda: LocalSearch(4, patience=3),
    "random_search": lambda: RandomSearch(5),
}
NAMES = sorted(METHODS)


def search(name: str, length: int = 6, evaluations: int = 60, seed: int = 0) -> GradientFreeSearch:
    budget = Budget(evaluations=evaluations)
    return GradientFreeSearch(Bits(length), Ones(), METHODS[name](), budget, np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
def test_the_optimum_of_a_small_space_is_found_and_no_point_is_asked_for_twice(name: str) -> None:
    found = search(name, length=4, evaluations=100)
    found.run()
    assert found.value == 1.0
    assert found.point is not None and not found.point.any()
    asked = found.objective.asked  # type: ignore[attr-defined]
    assert len(asked) == len(set(asked)) == found.meter.evaluations <= 16


@pytest.mark.parametrize("name", NAMES)
def test_the_budget_is_kept_and_the_trace_falls(name: str) -> None:
    found = search(name, length=30, evaluations=41)
    found.run()
    assert found.meter.evaluations == 41
    assert (np.diff(found.trace.objective) < 0).all()
    assert found.trace.objective[-1] == found.value == min(found.log["least"])
    assert sum(found.log["fresh"]) == 41


def test_descent_reaches_what_samples_do_not() -> None:
    def value(name: str) -> float:
        found = search(name, length=24, evaluations=400)
        found.run()
        return found.value

    assert value("annealing") < value("random_search")
    assert value("local_search") == 1.0 < value("random_search")


def test_a_search_starts_where_it_is_told() -> None:
    found = search("local_search", length=8, evaluations=1)
    found.run(np.zeros(8, np.int64))
    assert found.value == 1.0


class Stop(FileCheckpoint):
    """Asks this process to stop before batch ``at``."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path, every=1e9)
        self.left = at

    def due(self) -> bool:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        self.left -= 1
        return False


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    undisturbed = search(name, length=12, evaluations=80)
    undisturbed.run()
    for at in (0, 3, 7):
        cut, path = search(name, length=12, evaluations=80), tmp_path / f"{at}.npz"
        try:
            cut.run(checkpoint=Stop(path, at))
        finally:
            interrupt.clear()
        assert cut.meter.evaluations < 80
        resumed = search(name, length=12, evaluations=80, seed=9)
        resumed.run(checkpoint=FileCheckpoint(path))
        assert resumed.log == undisturbed.log
        assert resumed.trace.objective == undisturbed.trace.objective
        assert resumed.trace.evaluations == undisturbed.trace.evaluations
        np.testing.assert_array_equal(resumed.point, undisturbed.point)
        asked = cut.objective.asked + resumed.objective.asked  # type: ignore[attr-defined]
        assert asked == undisturbed.objective.asked  # type: ignore[attr-defined]


def test_a_walk_accepts_what_its_rule_does() -> None:
    strict = Annealing(Strict())
    strict.begin(np.array([0]), 5.0)
    rng = np.random.default_rng(0)
    strict.tell([np.array([1])], np.array([5.5]), 0.5, rng)
    assert strict.memory()["value"] == 5.0
    strict.tell([np.array([2])], np.array([4.0]), 0.5, rng)
    assert strict.memory()["value"] == 4.0


def test_a_memo_survives_its_arrays() -> None:
    memo, copy = Memo(), Memo()
    memo[b"one"], memo[b"two"] = 1.0, np.inf
    copy.restore(memo.memory())
    assert (copy[b"one"], copy[b"two"], len(copy), b"three" in copy) == (1.0, np.inf, 2, False)
    copy.restore(Memo().memory())
    assert len(copy) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Annealing(batch=0), r"solver\.method\.batch is 0"),
        (lambda: Genetic(1), r"solver\.method\.population is 1"),
        (lambda: Genetic(mutation=2), r"solver\.method\.mutation is 2"),
        (lambda: LocalSearch(neighbours=0), r"solver\.method\.neighbours is 0"),
        (lambda: LocalSearch(patience=0), r"solver\.method\.patience is 0"),
        (lambda: RandomSearch(0), r"solver\.method\.batch is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(make: Callable[[], Method], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
