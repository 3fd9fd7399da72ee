"""Solvers beside each other: whose answer is taken away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runs.record.instances import InstanceResult
from tasks.side_by_side import OWN, answers, best_of


def result(value: float | None, feasible: bool = True) -> InstanceResult:
    found = InstanceResult(0, "a", {"feasible": float(feasible)})
    return found if value is None else InstanceResult(0, "a", found.metrics, assignment=np.array([value]))


@pytest.mark.parametrize(("maximize", "best"), [(False, "low"), (True, "high")])
def test_the_best_is_that_of_the_problems_sense_and_of_equal_ones_ones_own(maximize: bool, best: str) -> None:
    problem: Any = SimpleNamespace(maximize=maximize, objective=lambda x: float(x[0]))
    found = {
        "low": result(1.0),
        "high": result(3.0),
        "none": result(None),
        "wrong": result(9.0, False),
        OWN: result(2.0),
    }
    assert sorted(answers(found)) == ["high", "low", OWN]
    assert best_of(problem, answers(found)) == best
    assert best_of(problem, answers({"a": result(2.0), OWN: result(2.0)})) == OWN
    assert best_of(problem, {}) is None
