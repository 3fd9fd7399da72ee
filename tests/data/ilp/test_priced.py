"""Programs with a cost of one's own: rows from the program, the objective from the cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.ilp.priced import PricedProgram, PricedPrograms
from data.ilp.problem import ILP
from solvers.differentiable.relaxed import Mixed, Priced, Relaxed, Valued

PROGRAM = ILP.build([3, 1], [[1, 1]], 1, 1, 0, 1, [True, False], name="one_of_two", var_names=["a", "b"])


def test_a_priced_program_is_a_relaxed_problem_that_its_rows_judge() -> None:
    problem = PricedProgram(PROGRAM, lambda x: (x**2).sum())
    for protocol in (Relaxed, Mixed, Priced, Valued):
        assert isinstance(problem, protocol)
    assert problem.objective(np.array([0.5, 0.5])) == 0.5
    assert not problem.is_feasible(np.array([0.5, 0.5])) and problem.is_feasible(np.array([1.0, 0.0]))
    assert "variable 'a'" in problem.worst_violation(np.array([0.5, 0.5]))[0]


def test_a_cost_of_two_arguments_sees_the_program() -> None:
    problem = PricedProgram(PROGRAM, lambda x, program: (x * torch.from_numpy(program.c.copy())).sum() ** 2)
    assert problem.objective(np.array([1.0, 0.0])) == 9
    np.testing.assert_allclose(problem.query(np.array([[0.0, 1.0]])).gradients, [[6, 2]])


def test_programs_of_a_folder_are_priced_and_a_bad_file_stays_a_failed_instance(tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text("Minimize\n obj: x + y\nSubject To\n r: x + y >= 1\nBinary\n x y\nEnd\n")
    (tmp_path / "b.lp").write_text("nonsense")
    data = PricedPrograms(lambda x: x.sum(), path=str(tmp_path))
    data.setup()
    data.setup()
    assert data.test_problems is not None
    (_, good), (_, bad) = data.test_problems[0], data.test_problems[1]
    assert good.name == "a" and good.variables == 2 and good.objective(np.ones(2)) == pytest.approx(2)
    assert bad.instance_name == "b"
