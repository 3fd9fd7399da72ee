"""A search task of any domain: what it reports, what it does not believe, and how it goes on after a signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning

from data.modules import ProblemData
from runs.anytime import Trace
from runs.errors import StorageError
from runs.interrupt import Interrupted
from runs.record import instances
from runs.record.instances import InstanceResult
from solvers.base import BrokenOff, Solution, Status
from tasks.search import Search


@dataclass(frozen=True)
class Hill:
    """Find the x in [0, 9] of the greatest height - (x - top)^2."""

    name: str
    top: int

    def objective(self, assignment: np.ndarray) -> float:
        return -float((assignment[0] - self.top) ** 2)

    def is_feasible(self, assignment: np.ndarray) -> bool:
        return 0 <= assignment[0] <= 9


class Hills(ProblemData):
    """Two hills, or one by each of the given names; the top of "low" is known."""

    name = "hills"

    def __init__(self, *names: str) -> None:
        super().__init__()
        hills = [Hill(name, 3) for name in names] or [Hill("low", 3), Hill("high", 30)]
        self.test_problems = list(enumerate(hills))  # type: ignore[assignment]

    def problem_optimum(self, name: str) -> float | None:
        return {"low": 0.0}.get(name)


class Stepping:
    """Steps right; lies about what it found. Stopped once after ``stops_at`` steps, it leaves its place."""

    def __init__(self, stops_at: int | None = None) -> None:
        self.stops_at, self.solved = stops_at, 0

    def solve(self, problem: Hill, *, budget: Any, checkpoint: Any, rng: Any, **others: Any) -> Solution:
        saved = checkpoint.load()
        x = int(saved["x"]) if saved else 0
        trace = Trace(maximize=True)
        while x < budget.evaluations:
            if x == self.stops_at and not saved:
                checkpoint.save({"x": np.array(x)})
                return Solution(np.array([x]), 99.0, True, Status.INTERRUPTED, trace)
            x += 1
            trace.record(0.5 * x, x, problem.objective(np.array([x])))
        self.solved += 1
        return Solution(np.array([x]), 99.0, True, Status.FEASIBLE, trace)


def searched(folder: Path, solver: Stepping, evaluations: int = 5, *names: str) -> dict[str, InstanceResult]:
    def measure(problem: Hill, solution: Solution) -> dict[str, float]:
        return {"height": solution.objective, "left": problem.top - solution.assignment[0]}  # type: ignore[index]

    task = Search(solver, {"evaluations": evaluations}, seed=0, measure=measure)  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=folder, enable_checkpointing=False
    )
    (means,) = trainer.test(task, datamodule=Hills(*names), verbose=False)
    found = {result.name: result for result in instances.load_all(folder)}
    assert means == pytest.approx(instances.means(list(found.values())))
    return found


def test_what_the_domain_measures_stands_beside_what_every_search_reports(tmp_path: Path) -> None:
    low = searched(tmp_path, Stepping())["hills/low"]
    assert low.metrics == {
        "height": -4.0, "left": -2.0, "feasible": 1.0, "seconds": 2.5, "evaluations": 5.0, "evaluations_per_second": 2.0,
        "optimum": 0.0, "primal_gap": 1.0,
    }  # fmt: skip
    assert low.assignment is not None and low.assignment.tolist() == [5]
    assert low.trace is not None and low.trace.objective[-1] == -4.0


def test_the_problem_is_believed_and_not_the_solver(tmp_path: Path) -> None:
    results = searched(tmp_path, Stepping(), evaluations=12)
    assert [results["hills/low"].metrics[key] for key in ("feasible", "primal_gap")] == [0.0, 1.0]
    assert np.isnan(results["hills/high"].metrics["height"])


def test_no_gap_without_a_known_optimum(tmp_path: Path) -> None:
    assert not {"optimum", "primal_gap"} & searched(tmp_path, Stepping())["hills/high"].metrics.keys()


class Dying(Stepping):
    """Takes three steps, of which it saves the state, and breaks down; the second time it goes on."""

    def solve(self, problem: Hill, *, checkpoint: Any, **others: Any) -> Solution:
        if checkpoint.load():
            return super().solve(problem, checkpoint=checkpoint, **others)
        checkpoint.save({"x": np.array(3)})
        trace = Trace(maximize=True)
        trace.record(1.5, 3, problem.objective(np.array([3])))
        raise BrokenOff("process 7 died of SIGKILL", Solution(np.array([3]), 99.0, True, Status.FEASIBLE, trace))


def test_a_solver_that_died_leaves_what_it_had_found_and_an_error_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    low = searched(tmp_path, Dying())["hills/low"]
    assert low.error.startswith("process 7 died of SIGKILL; its best so far")
    assert (low.metrics["height"], low.metrics["primal_gap"]) == (0.0, 0.0)
    assert len(list(tmp_path.rglob("*.state.npz"))) == 2
    again = searched(tmp_path, Dying())["hills/low"]
    assert not again.error and again.trace is not None and again.trace.evaluations == [4, 5]
    assert not list(tmp_path.rglob("*.state.npz"))


class Iterating(Stepping):
    """Keeps a log of its iterations, of which there is none on the high hill."""

    def solve(self, problem: Hill, **others: Any) -> Solution:
        steps = 0 if problem.name == "high" else 2
        return replace(super().solve(problem, **others), log={"gain": np.zeros(steps)})


def test_a_search_that_never_began_is_called_start_only_and_warned_of(tmp_path: Path) -> None:
    results = searched(tmp_path, Iterating())
    assert [results[f"hills/{name}"].metrics["start_only"] for name in ("low", "high")] == [0.0, 1.0]
    warning = (tmp_path / "warning.txt").read_text()
    assert "start only: on 1 instances (hills/high)" in warning and "task.budget" in warning
    assert "start_only" not in searched(tmp_path / "plain", Stepping())["hills/low"].metrics
    assert not (tmp_path / "plain" / "warning.txt").exists()


def test_what_the_reader_of_a_file_doubts_stands_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hill, "notes", ("line 3: a doubt",), raising=False)
    for _ in range(2):
        searched(tmp_path, Stepping())
    assert (tmp_path / "warning.txt").read_text() == "hills/low: line 3: a doubt\nhills/high: line 3: a doubt\n"


def test_an_objective_that_is_no_number_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(hill: Hill, assignment: np.ndarray) -> float:
        return np.nan if hill.name == "low" else 1.0

    monkeypatch.setattr(Hill, "objective", broken)
    low = searched(tmp_path, Stepping())["hills/low"]
    assert "low: the solution is feasible, but its objective is nan" in low.error and not low.metrics


def test_a_stopped_search_leaves_no_result_goes_on_from_its_state_and_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        searched(tmp_path, Stepping(stops_at=3))
    assert not instances.load_all(tmp_path)
    solver = Stepping(stops_at=3)
    with pytest.raises(Interrupted):  # the first hill from its state, the second from the start
        searched(tmp_path, solver)
    assert solver.solved == 1
    assert searched(tmp_path, Stepping())["hills/low"].trace.evaluations == [4, 5]  # type: ignore[union-attr]
    again = Stepping()
    searched(tmp_path, again)
    assert again.solved == 0
    assert not list(tmp_path.rglob("*.state.npz"))


@pytest.mark.parametrize(
    "names",
    [("plant a", "plant_a", "plant(a"), ("x" * 200 + "1", "x" * 200 + "2"), ("caf\udce9", "price$1^$", "植" * 78)],
    ids=["separators", "200 characters in common", "not UTF-8"],
)
def test_instances_of_whatever_names_keep_a_result_each(names: tuple[str, ...], tmp_path: Path) -> None:
    assert set(searched(tmp_path, Stepping(), 5, *names)) == {f"hills/{name}" for name in names}
    again = Stepping()
    searched(tmp_path, again, 5, *names)
    assert again.solved == 0


class Removing(Stepping):
    """Somebody removes the result of the first instance while it works on the second."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def solve(self, problem: Hill, **others: Any) -> Solution:
        for path in self.folder.glob("instances/*low*.result.npz"):
            path.unlink()
        return super().solve(problem, **others)


def test_a_result_that_was_removed_meanwhile_fails_the_run_and_alone_is_redone(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="1 of 2 instances left no result"):
        searched(tmp_path, Removing(tmp_path))
    again = Stepping()
    assert len(searched(tmp_path, again)) == 2
    assert again.solved == 1


def test_two_instances_of_one_name_are_not_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="two instances have one name"):
        searched(tmp_path, Stepping(), 5, "twin", "twin")


def test_a_result_that_a_killed_run_of_an_older_version_left_is_found(tmp_path: Path) -> None:
    searched(tmp_path, Stepping())
    for path in tmp_path.glob("instances/*.result.npz"):
        path.rename(path.with_name(f"hills_{'low' if 'low' in path.name else 'high'}.result.npz"))
    again = Stepping()
    assert len(searched(tmp_path, again)) == 2
    assert again.solved == 0
