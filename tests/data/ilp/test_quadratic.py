"""Small programs with quadratic costs: drawn alike every time, and their optimum is that of enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from data.ilp.quadratic import QuadraticPrograms
from runs.errors import ConfigError
from solvers.differentiable.enumeration import Enumeration


def test_the_optimum_is_the_least_cost_of_all_feasible_points() -> None:
    data = QuadraticPrograms(count=2, first=3, variables=8, seed=1)
    data.setup()
    assert data.test_problems is not None
    for position in range(2):
        index, problem = data.test_problems[position]
        points = Enumeration().points(problem)
        assert index == 3 + position and 1 < len(points) < 256
        values = np.array([problem.objective(x) for x in points])
        assert data.problem_optimum(problem.name) == pytest.approx(values.min())
        np.testing.assert_allclose(problem.query(points[:2]).values, values[:2])


def test_the_same_instance_is_drawn_again_and_large_ones_have_no_known_optimum() -> None:
    first, second = (QuadraticPrograms(count=1, variables=25) for _ in range(2))
    for data in (first, second):
        data.setup()
    assert first.test_problems is not None and second.test_problems is not None
    problem, again = first.test_problems[0][1], second.test_problems[0][1]
    assert problem.polytope.fingerprint == again.polytope.fingerprint
    assert first.problem_optimum(problem.name) is None
    with pytest.raises(ConfigError, match=r"data\.variables is 1"):
        QuadraticPrograms(variables=1)
