"""Files as a stranger brings them, through the launcher: solved and re-checked, or refused with the cause."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from runs.record import instances
from runs.record.run_record import SUPERSEDED
from tests.e2e import foreign_files
from tests.e2e.conftest import Launcher
from tests.e2e.foreign_files import BROKEN, INFEASIBLE, WHOLE

highspy = pytest.importorskip("highspy")
pytest.importorskip("pyscipopt")
LIMIT = 3.0


def outside_value(path: Path, assignment: np.ndarray) -> float:
    """The objective of ``assignment`` by HiGHS, which reads the file itself; NaN where it is not feasible."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(path))
    columns = np.arange(len(assignment), dtype=np.int32)
    assert highs.getNumCol() == len(columns)
    highs.changeColsBounds(len(columns), columns, assignment, assignment)
    highs.run()
    optimal = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return highs.getInfo().objective_function_value if optimal else math.nan


def results(launch: Launcher) -> dict[tuple[str, str], instances.InstanceResult]:
    """By method and instance; not of runs that were superseded."""
    runs = [run for run in launch.folders() if run.parent.name != SUPERSEDED]
    return {(run.name.split("-")[0], result.name): result for run in runs for result in instances.load_all(run)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign files")
    foreign_files.write_all(folder)
    return folder


@pytest.fixture(scope="module")
def swept(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Launcher, str, int]:
    """The practitioner's line over the whole folder: launcher, what it printed, exit code."""
    launch = Launcher(tmp_path_factory.mktemp("outputs"))
    run = launch("experiment=lb_relax/files", f"data.path='{folder}'", f"task.budget.seconds={LIMIT}")
    assert "Traceback" not in run.stdout + run.stderr
    return launch, run.stdout + run.stderr, run.returncode


def test_no_instance_is_lost_and_each_ends_as_computed_by_hand(swept: tuple[Launcher, str, int]) -> None:
    found = results(swept[0])
    for method in ("bnb", "random", "lb_relax_r"):
        assert len([name for m, name in found if m == method]) == len(WHOLE) + len(BROKEN) + 3
        for file, (_, expected) in WHOLE.items():
            result = found[method, f"files/{file.rsplit('.', 1)[0]}"]
            if result.error:
                assert method == "lb_relax_r"
                assert "set distance: bounds" in result.error
            elif isinstance(expected, str):
                assert result.metrics[expected] == result.metrics["proved"] == 1.0
                assert result.metrics["feasible"] == (0.0 if expected == INFEASIBLE else 1.0)
            else:
                assert result.metrics["primal_bound"] == pytest.approx(expected), (method, file)
                assert result.metrics["proved"] == 1.0


def test_every_reported_assignment_is_confirmed_by_an_outside_solver(
    swept: tuple[Launcher, str, int], folder: Path
) -> None:
    files = {path.name.split(".")[0]: path for path in folder.iterdir()}
    checked = 0
    for (_, name), result in results(swept[0]).items():
        if result.assignment is not None:
            value = outside_value(files[name.removeprefix("files/")], result.assignment)
            assert value == pytest.approx(result.metrics["primal_bound"], rel=1e-6, abs=1e-6), name
            checked += 1
    assert checked > 40


def test_budgets_are_kept(swept: tuple[Launcher, str, int]) -> None:
    spent = [result.metrics["seconds"] for result in results(swept[0]).values() if not result.error]
    assert max(spent) <= 1.05 * LIMIT + 0.5


def test_bad_files_are_named_once_with_their_cause_and_the_exit_code_says_so(swept: tuple[Launcher, str, int]) -> None:
    launch, printed, code = swept
    assert code == 1
    (report,) = (path for path in launch.outputs.rglob("report.html") if (path.parent / "sweep.json").exists())
    page = report.read_text()
    for file, (_, said) in BROKEN.items():
        name = file.rsplit(".", 1)[0]
        lines = [line for line in page.splitlines() if f"no result for files/{name}:" in line]
        assert len(lines) == 1
        assert said in lines[0]
    assert "no result for files/nan:" in printed
    assert "30 optimal" in printed
    assert [line.count("infeasible") for line in printed.splitlines() if "files/infeasible" in line] == [4]
    table = pd.read_csv(report.parent / "report.csv")
    assert set(table.loc[table["metric"] == "primal_gap", "mean"]) == {0.0}


@pytest.mark.parametrize("arguments", [["experiment=lb_relax/files"], ["experiment=lb_relax/one", "solver=bnb"]])
def test_a_single_bad_file_is_exit_code_2_and_its_cause(launch: Launcher, folder: Path, arguments: list[str]) -> None:
    run = launch(*arguments, f"data.path='{folder / 'nan.mps'}'")
    assert run.returncode == 2, run.stdout + run.stderr
    printed = run.stdout + run.stderr
    said = [line for line in printed.splitlines() if "section COLUMNS, field 3 (value): 'nan'" in line]
    assert [line.startswith(("failed ", "error: ")) for line in said].count(True) == 1
    assert "Traceback" not in printed


def test_a_path_that_is_not_there_is_one_line(launch: Launcher, tmp_path: Path) -> None:
    run = launch("experiment=lb_relax/one", f"data.path={tmp_path / 'absent.mps'}")
    assert run.returncode == 2
    assert "absent.mps is missing" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_lb_relax_refuses_a_problem_without_binaries_and_its_remedy_works(launch: Launcher, folder: Path) -> None:
    one = ["experiment=lb_relax/one", "solver=lns/lb_relax", f"data.path='{folder / 'equality_knapsack.mps'}'"]
    run = launch(*one)
    assert run.returncode == 2
    assert "set distance: bounds" in run.stderr.splitlines()[-1]
    run = launch(*one, "lns.lp.distance=bounds", f"task.budget.seconds={LIMIT}")
    assert run.returncode == 0, run.stderr
    assert "3 optimal" in run.stdout


def test_a_single_run_shows_objective_and_status_and_no_gap_to_itself(launch: Launcher, folder: Path) -> None:
    run = launch("experiment=lb_relax/one", "solver=highs", f"data.path='{folder / 'ranges.mps'}'")
    assert run.returncode == 0
    assert "5 optimal" in run.stdout
    assert "primal gap" not in run.stdout
    assert re.search(r"gap to the bound\W+0 %", run.stdout)


def test_a_mended_file_is_solved_by_the_same_command(launch: Launcher, tmp_path: Path) -> None:
    foreign_files.write(tmp_path / "in", {"good.mps": WHOLE["offset.mps"], "torn.mps": BROKEN["no_endata.mps"]})
    command = ["experiment=lb_relax/one", "solver=bnb", f"data.path={tmp_path / 'in'}"]
    assert launch(*command).returncode == 1
    before = {name: result for (_, name), result in results(launch).items()}
    assert before["files/torn"].error
    foreign_files.write(tmp_path / "in", {"torn.mps": WHOLE["binary_knapsack.mps"]})
    run = launch(*command)
    assert run.returncode == 0, run.stdout + run.stderr
    after = {name: result for (_, name), result in results(launch).items()}
    assert after["files/torn"].metrics["primal_bound"] == 30
    assert after["files/good"].metrics["primal_bound"] == before["files/good"].metrics["primal_bound"]


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["bnb", "highs", "cp_sat", "lns/random", "lns/lb_relax_s", "lns/local_branching"])
def test_a_file_of_50_megabytes_keeps_the_budget(launch: Launcher, tmp_path: Path, solver: str) -> None:
    foreign_files.write_big(tmp_path / "big.mps", 50)
    run = launch(
        "experiment=lb_relax/one", f"solver={solver}", f"data.path={tmp_path / 'big.mps'}", "task.budget.seconds=20"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    ((_, result),) = results(launch).items()
    assert result.metrics["seconds"] <= 1.05 * 20 + 0.5
    if result.assignment is not None:
        value = outside_value(tmp_path / "big.mps", result.assignment)
        assert value == pytest.approx(result.metrics["primal_bound"])
