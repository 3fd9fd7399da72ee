"""The same command over files that have changed gives the new answer, says so, and keeps the old one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
pytest.importorskip("pyscipopt")


def problem(cost: int) -> str:
    """Minimise cost x - y for x, y in {0, 1, 2, 3} with x + y <= 3."""
    columns = "\n".join(f" {name} COST {value} R 1" for name, value in (("x", cost), ("y", -1)))
    bounds = "\n".join(f" UI B {name} 3" for name in "xy")
    return f"NAME\nROWS\n N COST\n L R\nCOLUMNS\n{columns}\nRHS\n S R 3\nBOUNDS\n{bounds}\nENDATA\n"


def test_an_edited_file_and_an_added_one_are_solved_anew(launch: Launcher, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "one.mps").write_text(problem(-3))
    sweep = ["-m", "experiment=lb_relax/one", "solver=bnb", "data=ilp/files", "seed=0,1", "task.budget.seconds=5"]
    sweep.append(f"data.path={files}")
    first = launch(*sweep)
    assert first.returncode == 0, first.stdout + first.stderr
    kept = [path for path in launch.folders() if path.parent.name != "superseded"]
    assert [launch.metrics()[path.name]["primal_bound"] for path in kept] == [-9.0, -9.0]
    before = {path: (path / "metrics.json").stat().st_mtime_ns for path in kept}

    shutil.copy(files / "one.mps", tmp_path / "copy")
    shutil.move(tmp_path / "copy", files / "one.mps")  # another time of change, the same content
    assert launch(*sweep).returncode == 0
    assert {path: (path / "metrics.json").stat().st_mtime_ns for path in kept} == before

    (files / "one.mps").write_text(problem(-30))
    second = launch(*sweep)
    assert "one.mps changed: 2 runs begin anew" in second.stderr
    assert [launch.metrics()[path.name]["primal_bound"] for path in kept] == [-90.0, -90.0]

    (files / "two.mps").write_text(problem(-20))
    third = launch(*sweep)
    assert "two.mps new: 2 runs begin anew" in third.stderr
    assert [launch.metrics()[path.name]["primal_bound"] for path in kept] == [-75.0, -75.0]
    superseded = sorted(path.name.rsplit("-", 1)[-1] for path in launch.folders() if path.parent.name == "superseded")
    assert superseded == ["1", "1", "2", "2"]


def test_a_single_run_says_what_changed(launch: Launcher, tmp_path: Path) -> None:
    file = tmp_path / "one.mps"
    file.write_text(problem(-3))
    command = ["experiment=lb_relax/one", "solver=bnb", "data=ilp/files", f"data.path={file}", "task.budget.seconds=5"]
    assert launch(*command).returncode == 0
    file.write_text(problem(-30))
    again = launch(*command)
    assert again.returncode == 0
    assert f"{file} has changed; what was there is kept in" in again.stdout + again.stderr
    (run,) = [path for path in launch.folders() if path.parent.name != "superseded"]
    assert launch.metrics()[run.name]["primal_bound"] == -90.0
