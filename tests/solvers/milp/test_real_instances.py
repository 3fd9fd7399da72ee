"""Real instances with proved optima (data files; REPRISE_DATA)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data.ilp.formats.mps import read_mps
from solvers.base import Budget, Status
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.lp import PersistentLP
from solvers.milp.scip import Scip

FOLDER = Path(os.environ.get("REPRISE_DATA", "")) / "ilp"
pytestmark = pytest.mark.skipif(
    not os.environ.get("REPRISE_DATA") or not FOLDER.is_dir(),
    reason="REPRISE_DATA has no ilp folder: real instances absent",
)
# name: optimum, optimum of the LP relaxation
PROVED = {
    "flugpl": (1201500.0, 1167185.72559),
    "lseu": (1120.0, 834.682353),
    "enigma": (0.0, 0.0),
    "rgn": (82.1999992, 48.7999986),
    "egout": (568.1007, 149.588766),
    "misc03": (3360.0, 1910.0),
    "bell5": (8966406.49152, 8608417.94651),
    "dcmulti": (188182.0, 183975.539693),
    "p0548": (8691.0, 315.254902),
    "p01": (263.0, 263.0),
}
CASES = [(solver, name) for solver in (Scip(), Highs()) for name in PROVED]
CASES += [(CpSat(), name) for name in ("lseu", "p01")]  # pure integer, and proved by CP-SAT in seconds


def read(name):
    return read_mps(FOLDER / f"{name}.mps")


@pytest.mark.parametrize("name", list(PROVED))
def test_relaxation_has_the_listed_optimum(name):
    assert PersistentLP(read(name).to_min()).solve().objective == pytest.approx(PROVED[name][1], rel=1e-7, abs=1e-6)


@pytest.mark.parametrize(
    ("solver", "name"), CASES, ids=lambda case: case if isinstance(case, str) else type(case).__name__
)
def test_proved_optimum_is_reached_and_proved(solver, name):
    problem = read(name)
    answer = solver.solve(problem, budget=Budget(seconds=120), rng=np.random.default_rng(0))
    assert answer.status == Status.OPTIMAL
    assert answer.objective == pytest.approx(PROVED[name][0], rel=1e-6, abs=1e-6)
    assert problem.is_feasible(answer.assignment)
