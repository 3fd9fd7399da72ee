from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.compiler.problem import PassOrdering
from runs.errors import ConfigError
from runs.record.checkpoint import FileCheckpoint
from solvers.base import Budget, Status
from solvers.compiler.level import Level
from solvers.compiler.sequence_search import SequenceSearch
from solvers.gradient_free.genetic import Genetic
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.method import Method
from solvers.gradient_free.random_search import RandomSearch
from tests.solvers.compiler.counting_down import CountingDown, programs

PROBLEM = PassOrdering(programs(b"3 1 2")[0], CountingDown())


@pytest.mark.parametrize("method", [Genetic(population=4, children=4), LocalSearch(4), RandomSearch(1)])
def test_a_search_of_its_own_finds_the_least_and_keeps_to_its_budget(method: Method) -> None:
    found = SequenceSearch(method, longest=5).solve(
        PROBLEM, budget=Budget(evaluations=2000), rng=np.random.default_rng(0)
    )
    assert (found.objective, found.status) == (0.0, Status.FEASIBLE)
    assert found.assignment is not None and PROBLEM.objective(found.assignment) == 0
    assert found.trace.objective[0] == 6 and found.trace.evaluations[-1] <= 2000


@pytest.mark.parametrize("budget", [0, 1, 3, 7])
def test_a_small_budget_is_never_exceeded_and_what_it_found_takes_no_more(budget: int) -> None:
    for seed in range(5):
        found = SequenceSearch(LocalSearch(3), longest=5).solve(
            PROBLEM, budget=Budget(evaluations=budget), rng=np.random.default_rng(seed)
        )
        assert found.trace.evaluations[-1] <= budget and found.trace.objective[-1] == found.objective
        assert found.assignment is not None and len(found.assignment) <= budget


def test_a_search_that_was_stopped_goes_on(tmp_path: Path) -> None:
    def run(budget: int, checkpoint: FileCheckpoint | None = None) -> tuple[list[int], float]:
        search = SequenceSearch(LocalSearch(2), longest=4)
        found = search.solve(
            PROBLEM, budget=Budget(evaluations=budget), rng=np.random.default_rng(1), checkpoint=checkpoint
        )
        assert found.assignment is not None
        return found.assignment.tolist(), found.objective

    kept = FileCheckpoint(tmp_path / "state.npz", every=0.0)
    run(12, kept)
    assert run(60, kept) == run(60)


def test_a_level_is_an_answer_that_costs_no_pass() -> None:
    found = Level().solve(PROBLEM, budget=Budget(evaluations=0))
    assert (found.objective, found.trace.evaluations) == (2.0, [0])
    assert found.assignment is not None and PROBLEM.level_of(found.assignment) == "Oz"
    assert Level("O0").solve(PROBLEM, budget=Budget(evaluations=0)).objective == 6.0
    with pytest.raises(ConfigError, match="has no level 'O1'"):
        Level("O1").solve(PROBLEM, budget=Budget(evaluations=0))
