from __future__ import annotations

import numpy as np

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.problem import PassOrdering
from data.compiler.program import Program
from tests.data.compiler.modules import SUM, SUM_COUNT


def test_the_objective_is_the_least_count_on_the_way_or_that_of_a_level(compiler: LlvmliteCompiler) -> None:
    problem = PassOrdering(Program("a/b/sum", "a", SUM), compiler)
    assert (problem.family, problem.name, problem.initial) == ("a", "b/sum", SUM_COUNT)
    sroa = compiler.actions.index("sroa")
    assert problem.objective(np.array([], int)) == SUM_COUNT
    assert problem.objective(np.array([sroa])) == problem.trajectory((sroa,)).least() == 11
    assert problem.objective(problem.level()) == problem.reference == compiler.reference(SUM)
    assert problem.level_of(problem.level("O3")) == "O3" and problem.level_of(np.array([sroa])) is None


def test_passes_and_levels_that_the_compiler_lacks_are_not_feasible(compiler: LlvmliteCompiler) -> None:
    problem = PassOrdering(Program("a/sum", "a", SUM), compiler)
    actions, levels = len(compiler.actions), len(compiler.levels)
    assert problem.is_feasible(np.array([], int)) and problem.is_feasible(np.array([0, actions - 1]))
    assert not problem.is_feasible(np.array([actions])) and not problem.is_feasible(np.array([0, -1]))
    assert problem.is_feasible(np.array([-levels])) and not problem.is_feasible(np.array([-levels - 1]))
