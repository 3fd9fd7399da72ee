"""SIGINT and SIGTERM in the middle of a native solve."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import json, sys, time
import numpy as np
from data.ilp.problem import ILP
from solvers.base import Budget
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.lp import PersistentLP
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip

rng = np.random.default_rng(0)
A = rng.integers(1, 1000, (5, 60)).astype(float)  # market split: nobody proves anything here in a minute
problem = ILP.build([0] * 60 + [1] * 10, np.hstack([A, np.eye(5), -np.eye(5)]), A.sum(1) // 2, A.sum(1) // 2, 0,
                    [1] * 60 + [100000] * 10, True)
start = np.concatenate([np.zeros(60), A.sum(1) // 2, np.zeros(5)])
solver = {"scip": Scip(), "highs": Highs(), "cp_sat": CpSat(), "child": ChildProcess(Highs())}[sys.argv[1]]
print("ready", flush=True)
began = time.monotonic()
answer = solver.solve(problem, budget=Budget(seconds=60), initial=start, rng=rng)
print(json.dumps({"status": answer.status, "objective": answer.objective, "feasible": answer.feasible,
                  "seconds": answer.trace.seconds[-1], "start": problem.objective(start),
                  "wall": time.monotonic() - began}), flush=True)
"""


@pytest.mark.parametrize("name", ["scip", "highs", "cp_sat", "child"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_the_solve_with_the_best_so_far(name, number):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, name], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(2.0)
        process.send_signal(number)
        answer = json.loads(process.communicate(timeout=30)[0])
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert answer["status"] == "interrupted" and answer["feasible"]
    assert answer["objective"] <= answer["start"]
    assert answer["seconds"] < 30


LP_PROGRAM = """
import numpy as np, scipy.sparse as sp
from data.ilp.problem import ILP
from runs import interrupt
from solvers.milp.lp import PersistentLP

n, m = 6000, 24000
ends = np.random.default_rng(0).integers(0, n // 2, (m, 2)) + [0, n // 2]
A = sp.coo_matrix((np.ones(2 * m), (np.repeat(np.arange(m), 2), ends.ravel())), (m, n)).tocsr()
lp = PersistentLP(ILP.build(-np.ones(n), A, -np.inf, 1, 0, 1))
lp.add_row(np.ones(n), -np.inf, 0.45 * n)
with interrupt.watch():
    print("ready", flush=True)
    while (result := lp.solve("primal_simplex")).status == "optimal":
        lp.set_costs(np.random.default_rng(lp.m).normal(size=n))
print(result.status, result.x is None, flush=True)
"""


def test_signal_ends_a_linear_program():
    process = subprocess.Popen([sys.executable, "-c", LP_PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == "interrupted True\n"
    finally:
        process.kill()
        process.wait()


SLEEPING = PROGRAM.replace("seconds=60", "seconds=3")


@pytest.mark.parametrize("name", ["scip", "highs", "cp_sat", "child"])
def test_a_search_has_its_whole_budget_although_it_was_stopped_for_longer(name):
    process = subprocess.Popen([sys.executable, "-c", SLEEPING, name], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        process.send_signal(signal.SIGCONT)
        answer = json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.wait()
    assert answer["status"] == "feasible"
    if name != "child":  # which was not stopped, and whose search counts
        assert answer["seconds"] >= 2.5
        assert answer["wall"] >= answer["seconds"] + 3
