"""The child process: its answers, and every way it can end badly."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import psutil
import pytest

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.base import BrokenOff, Budget, Status
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.incumbent import Incumbent
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip

PROBLEM = ILP.build([3, 2, 1], [[1, 1, 1]], -np.inf, 2, 0, 1, True, maximize=True)


@dataclass
class Misbehaving:
    """A back end that finds (1, 0, 0) if told to, then does ``act``."""

    act: str
    finds: bool = True

    def solve(
        self, problem, *, budget, initial=None, cutoff=None, rng, on_incumbent=None, scorer=None, checkpoint=None
    ):
        incumbent = Incumbent(problem, budget, initial, cutoff, on_incumbent)
        if self.finds:
            incumbent.offer(np.array([1.0, 0.0, 0.0]))
        if self.act == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.act == "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
            return incumbent.solution(Status.INTERRUPTED)
        elif self.act == "fail":
            return incumbent.broken_off("no luck")
        elif self.act == "sleep":
            waker = f"import os, time; time.sleep(9); os.kill({os.getpid()}, {int(signal.SIGCONT)})"
            subprocess.Popen([sys.executable, "-c", waker])
            os.kill(os.getpid(), signal.SIGSTOP)
            incumbent.offer(np.array([1.0, 1.0, 0.0]))
            return incumbent.solution(Status.OPTIMAL, 5.0)
        elif self.act == "exit":
            os._exit(3)
        elif self.act == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(1)
        elif self.act == "eat":
            blocks = []
            while True:
                blocks.append(np.empty(2**24))
        elif self.act == "lie":
            return incumbent.solution(Status.OPTIMAL, 99.0)
        return incumbent.solution(Status.FEASIBLE)


def run(solver, budget=None, **arguments):
    return solver.solve(PROBLEM, budget=budget or Budget(60), rng=np.random.default_rng(0), **arguments)


@pytest.mark.parametrize("solver", [Scip(), Highs(), CpSat()], ids=lambda solver: type(solver).__name__)
def test_child_gives_the_answer_of_its_solver(solver):
    seen = []
    answer = run(ChildProcess(solver), on_incumbent=lambda *row: seen.append(row[2]))
    assert (answer.status, answer.objective, answer.assignment.tolist()) == (Status.OPTIMAL, 5.0, [1.0, 1.0, 0.0])
    assert seen[-1] == 5.0
    assert answer.trace.bound[-1] == 5.0


def test_cutoff_and_infeasibility_cross_the_border():
    answer = run(ChildProcess(Highs()), cutoff=5.5)
    assert (answer.status, answer.assignment) == (Status.INFEASIBLE, None)


@pytest.mark.parametrize(("act", "cause"), [("segfault", "SIGSEGV"), ("kill", "SIGKILL"), ("exit", "exit code 3")])
def test_dead_child_leaves_a_failure_with_its_best_so_far(act, cause):
    with pytest.raises(BrokenOff, match=f"Misbehaving on ilp: .*{cause}.*; its best so far, 3, is kept") as caught:
        run(ChildProcess(Misbehaving(act)))
    answer = caught.value.solution
    assert (answer.status, answer.objective, answer.feasible) == (Status.FEASIBLE, 3.0, True)
    with pytest.raises(SolverFailure, match=cause) as empty:
        run(ChildProcess(Misbehaving(act, finds=False)))
    assert not isinstance(empty.value, BrokenOff)
    start = np.array([0.0, 0.0, 1.0])
    with pytest.raises(BrokenOff) as caught:
        run(ChildProcess(Misbehaving(act, finds=False)), initial=start)
    assert caught.value.solution.assignment.tolist() == start.tolist()


def test_a_child_that_somebody_asks_to_stop_has_not_finished():
    with pytest.raises(BrokenOff, match="a signal asked the child process to stop") as caught:
        run(ChildProcess(Misbehaving("terminate")))
    assert caught.value.solution.objective == 3.0


def test_a_failure_inside_the_child_keeps_cause_and_solution():
    with pytest.raises(BrokenOff, match=r"^Misbehaving on ilp: no luck; its best so far, 3, is kept$") as caught:
        run(ChildProcess(Misbehaving("fail")))
    assert caught.value.solution.objective == 3.0


def test_while_the_child_is_stopped_the_clock_stands_still(caplog):
    """It is stopped for as long as its budget, and then still answers in time."""
    with caplog.at_level(logging.WARNING):
        answer = run(ChildProcess(Misbehaving("sleep")), Budget(seconds=8))
    assert answer.status == Status.OPTIMAL
    assert answer.trace.seconds[-1] < 8
    assert "is stopped; waiting" in caplog.text


def test_hanging_child_is_killed_at_the_deadline():
    began = time.monotonic()
    answer = run(ChildProcess(Misbehaving("hang")), Budget(seconds=2.5))
    assert (answer.status, answer.objective) == (Status.FEASIBLE, 3.0)
    assert time.monotonic() - began < 30
    assert answer.trace.seconds[-1] >= 2.5


def test_memory_limit_ends_the_child_not_the_parent():
    with pytest.raises(BrokenOff, match=r"memory limit is 1\.25 GiB") as caught:
        run(ChildProcess(Misbehaving("eat"), memory_gib=1.25))
    assert caught.value.solution.objective == 3.0
    with pytest.raises(SolverFailure, match=r"memory limit is 1\.25 GiB"):
        run(ChildProcess(Misbehaving("eat", finds=False), memory_gib=1.25))


def test_a_claim_of_optimality_is_not_believed_without_a_matching_bound():
    assert run(ChildProcess(Misbehaving("lie"))).status == Status.FEASIBLE


def test_errors_cross_the_border_as_what_they_are():
    with pytest.raises(ConfigError, match="gapp"):
        run(ChildProcess(Scip(settings={"limits/gapp": 1})))
    with pytest.raises(InvalidProblem, match="infeasible"):
        run(ChildProcess(Scip()), initial=np.ones(3))
    with pytest.raises(ConfigError, match="memory_gib"):
        ChildProcess(Scip(), memory_gib=0)


SLEEPER = """
import os, time
class Sleeper:
    def __init__(self, path):
        self.path = path
    def solve(self, problem, **rest):
        with open(self.path + ".part", "w") as file:
            file.write(str(os.getpid()))
        os.rename(self.path + ".part", self.path)
        time.sleep(600)
"""


def test_child_dies_with_its_parent(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    pid_file = tmp_path / "pid"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from sleeper import Sleeper\n"
        "from data.ilp.problem import ILP\n"
        "from solvers.base import Budget\n"
        "from solvers.milp.process import ChildProcess\n"
        "problem = ILP.build([1.0], [[1.0]], 0, 1, 0, 1, True)\n"
        "ChildProcess(Sleeper(sys.argv[2])).solve(problem, budget=Budget(600), rng=np.random.default_rng(0))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(pid_file)])
    try:
        assert wait_until(pid_file.exists)
        child = int(pid_file.read_text())
        assert psutil.pid_exists(child)
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()
