"""An interrupted search, continued from its checkpoint, is the undisturbed one to the bit."""

import os
import signal

import numpy as np
import pytest

from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.generators.mk import MultidimensionalKnapsack
from runs import interrupt
from runs.errors import InvalidProblem
from runs.record.checkpoint import FileCheckpoint
from solvers.base import Status
from solvers.lns import local_branching_lp
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.random import Random
from solvers.lns.local_branching_lp import LocalBranchingLP
from tests.solvers.lns.searches import search

ITERATIONS = 7
TIMES = ("select_seconds", "repair_seconds", "overhead_seconds")


class Killer(FileCheckpoint):
    """Sends this process SIGINT at the start of iteration ``at``, so that the sub-ILP is cut short."""

    def __init__(self, path, at):
        super().__init__(path, every=1e9)
        self.left = at

    def due(self):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        self.left -= 1
        return False


class Frequent(FileCheckpoint):
    """Saves before every iteration and keeps all states."""

    def __init__(self, path):
        super().__init__(path, every=0.0)
        self.states = []

    def save(self, state):
        super().save(state)
        self.states.append(self.load())


def assert_same(resumed, undisturbed):
    assert resumed.trace.objective == undisturbed.trace.objective
    assert resumed.trace.evaluations == undisturbed.trace.evaluations
    np.testing.assert_array_equal(resumed.assignment, undisturbed.assignment)
    for name in set(undisturbed.log) - set(TIMES):
        np.testing.assert_array_equal(resumed.log[name], undisturbed.log[name], err_msg=name)


def test_interrupted_in_any_iteration_and_resumed_is_the_same_search(heuristic, auction, tmp_path):
    undisturbed = search(heuristic(), auction, ITERATIONS, seed=1, size=12)
    steps = len(undisturbed.log["evaluation"])
    assert steps == ITERATIONS
    for at in range(steps):
        path = tmp_path / f"{at}.npz"
        try:
            cut = search(heuristic(), auction, ITERATIONS, seed=1, size=12, checkpoint=Killer(path, at))
        finally:
            interrupt.clear()
        assert cut.status == Status.INTERRUPTED and cut.feasible
        assert len(cut.log["evaluation"]) == at
        resumed = search(heuristic(), auction, ITERATIONS, seed=99, size=12, checkpoint=FileCheckpoint(path))
        assert_same(resumed, undisturbed)


FORMS = [(rows, distance_row) for rows in ("all", "generated") for distance_row in ("explicit", "multiplier")]


@pytest.mark.parametrize("far", [local_branching_lp.FAR, 3])
@pytest.mark.parametrize(("rows", "distance_row"), FORMS)
def test_every_saved_state_leads_to_the_same_end_on_a_larger_lp(rows, distance_row, far, tmp_path, monkeypatch):
    """300 variables, incumbent moving, several vertices; warm-started LPs, and cold ones after long moves."""
    monkeypatch.setattr(local_branching_lp, "FAR", far)
    problem = MaximumIndependentSet(300)(np.random.default_rng(0), "mis")
    assert_every_state_resumes(lambda: LocalBranchingLP(rows=rows, distance_row=distance_row), problem, 40, tmp_path)


@pytest.mark.parametrize(("rows", "distance_row"), FORMS)
def test_every_saved_state_leads_to_the_same_end_where_coefficients_need_scaling(rows, distance_row, tmp_path):
    problem = MultidimensionalKnapsack(40, 5)(np.random.default_rng(0), "mk")
    lp = LocalBranchingLP
    assert_every_state_resumes(lambda: lp(rows=rows, distance_row=distance_row), problem, 8, tmp_path, iterations=7)


def assert_every_state_resumes(lp, problem, size, tmp_path, iterations=12):
    checkpoint = Frequent(tmp_path / "state.npz")
    undisturbed = search(LBRelax(lp=lp()), problem, iterations, size=size, checkpoint=checkpoint)
    assert len(checkpoint.states) == iterations
    for state in checkpoint.states:
        again = FileCheckpoint(tmp_path / "again.npz")
        again.save(state)
        assert_same(search(LBRelax(lp=lp()), problem, iterations, seed=5, size=size, checkpoint=again), undisturbed)


def test_seconds_spent_before_the_interruption_count(auction, tmp_path):
    checkpoint = Frequent(tmp_path / "state.npz")
    search(Random(), auction, 3, size=12, checkpoint=checkpoint)
    state = dict(checkpoint.states[-1], seconds=np.array(500.0))
    checkpoint.save(state)
    assert search(Random(), auction, 3, size=12, checkpoint=checkpoint).trace.seconds[-1] > 500


def test_a_checkpoint_of_another_problem_is_refused(auction, tmp_path):
    other = MaximumIndependentSet(30)(np.random.default_rng(0), "other")
    search(Random(), other, 3, checkpoint=Frequent(tmp_path / "state.npz"))
    with pytest.raises(InvalidProblem, match="another problem"):
        search(Random(), auction, 3, checkpoint=FileCheckpoint(tmp_path / "state.npz"))


def test_a_truncated_checkpoint_starts_afresh(auction, tmp_path):
    search(Random(), auction, 3, size=12, checkpoint=Frequent(tmp_path / "state.npz"))
    content = (tmp_path / "state.npz").read_bytes()
    (tmp_path / "state.npz").write_bytes(content[: len(content) // 2])
    resumed = search(Random(), auction, 3, size=12, checkpoint=FileCheckpoint(tmp_path / "state.npz"))
    assert_same(resumed, search(Random(), auction, 3, size=12))
