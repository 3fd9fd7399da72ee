"""Reading MPS files: our strict reader against the readers of HiGHS and SCIP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyscipopt

from benchmarks.families import instance
from benchmarks.harness import Case
from benchmarks.measure import Probe
from data.ilp.formats.mps import read_mps
from data.ilp.formats.mps_writer import write_mps
from solvers.milp.highs_model import quiet_highs

REPEATS = {"toy": 1, "small": 5, "paper": 5}
_FILES = {
    "toy": [("toy", "CA")],
    "small": [("small", "CA"), ("small", "SC"), ("paper", "MVC")],
    "paper": [("small", "CA"), ("paper", "MIS"), ("paper", "MVC"), ("paper", "SC")],
}


def cases(size: str) -> Iterator[Case]:
    """One file each, from 0.1 to about 40 MB."""
    with TemporaryDirectory() as folder:
        for scale, family in _FILES[size]:
            path = Path(folder) / f"{family}.mps"
            write_mps(instance(scale, family), path)
            megabytes = path.stat().st_size / 1e6
            contenders = {"HiGHS": _by_highs(path), "SCIP": _by_scip(path), "read_mps (ours)": _ours(path)}
            yield Case(f"{family} {scale}, {megabytes:.2f} MB", contenders, "HiGHS")


def _by_highs(path: Path) -> Callable[[Probe], None]:
    return lambda probe: _expect(str(quiet_highs().readModel(str(path))) == "HighsStatus.kOk", path)


def _by_scip(path: Path) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        model = pyscipopt.Model()
        model.hideOutput()
        model.readProblem(str(path))

    return run


def _ours(path: Path) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        read_mps(path)

    return run


def _expect(read: bool, path: Path) -> None:
    if not read:
        raise AssertionError(f"HiGHS did not read {path}")
