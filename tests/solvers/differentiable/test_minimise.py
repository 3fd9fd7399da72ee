"""A problem of one's own from Python: a function or a file for an oracle, a function of torch for a cost."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.differentiable.minimise import minimise
from solvers.differentiable.rules.blackbox import Blackbox
from tests.solvers.differentiable.selections import Cheapest, Selection

WEIGHTS = torch.linspace(1, 3, 9, dtype=torch.float64)


def cheapest_four(c: np.ndarray) -> np.ndarray:
    x = np.zeros(len(c))
    x[np.argsort(c, kind="stable")[:4]] = 1
    return x


def near_nine(x: torch.Tensor) -> torch.Tensor:
    return ((x * WEIGHTS).sum() - 9) ** 2 + (x[:-1] * x[1:]).sum()


def test_a_function_for_an_oracle_and_a_cost_are_enough() -> None:
    starts = [minimise(cheapest_four, near_nine, variables=9, queries=100, seed=seed) for seed in range(4)]
    seed = int(np.argmin([each.f for each in starts]))
    found = starts[seed]
    points = [np.isin(np.arange(9), chosen).astype(float) for chosen in combinations(range(9), 4)]
    values = sorted(float(near_nine(torch.from_numpy(x))) for x in points)
    assert found.f <= values[4] and found.f == float(near_nine(torch.from_numpy(found.x)))
    np.testing.assert_array_equal(cheapest_four(found.c), found.x)
    assert found.trace.objective[-1] == pytest.approx(found.f) and found.trace.evaluations[-1] <= 100
    assert len(found.log["value"]) == found.trace.evaluations[-1]
    again = minimise(cheapest_four, near_nine, variables=9, queries=100, seed=seed)
    np.testing.assert_array_equal(again.c, found.c)


def test_a_file_and_a_cost_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "four.lp"
    names = [f"x{i}" for i in range(9)]
    rows = f" r: {' + '.join(names)} = 4\n"
    path.write_text(f"Minimize\n obj: x0\nSubject To\n{rows}Binary\n {' '.join(names)}\nEnd\n")
    by_file = minimise(str(path), near_nine, queries=30, start=np.linspace(0, 1, 9))
    by_function = minimise(cheapest_four, near_nine, queries=30, start=np.linspace(0, 1, 9))
    assert by_file.f == pytest.approx(by_function.f)


def test_a_relaxed_problem_is_taken_with_its_own_oracle() -> None:
    problem = Selection.random(0)
    assert minimise(Cheapest(), problem, queries=50).f <= np.median(problem.query(problem.vertices).values)


def test_a_standstill_is_told_and_its_best_is_given() -> None:
    found = minimise(cheapest_four, near_nine, variables=9, rule=Blackbox(1e-12))
    assert "larger lambda" in found.stopped and found.x.sum() == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: minimise(cheapest_four, near_nine), ConfigError, r"variables=\.\.\. or by costs to start from"),
        (lambda: minimise(lambda c: c[:2], near_nine, variables=9), SolverFailure, r"9 costs with an x of shape \(2,\)"),
        (lambda: minimise(lambda c: 0.5 + 0 * c, near_nine, variables=9), SolverFailure, "0.5 for variable 0; it must be"),
        (
            lambda: minimise(cheapest_four, near_nine, variables=9, feasible=lambda x: x.sum() == 3),
            SolverFailure,
            "not feasible",
        ),
        (lambda: minimise(cheapest_four, lambda x: near_nine(x.detach()), variables=9), InvalidProblem, "has no gradient"),
        (lambda: minimise(cheapest_four, lambda x: near_nine(x) / 0 * 0, variables=9), SolverFailure, "f is nan at a"),
        (lambda: minimise(cheapest_four, near_nine, start=[0.0, np.nan]), ConfigError, r"start has shape \(2,\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_own_problem_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
