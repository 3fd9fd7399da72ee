"""A search that was stopped or killed goes on; at equal evaluations it ends as an undisturbed one."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from data.ilp.formats.mps_writer import write_mps
from data.ilp.problem import ILP
from runs.record import instances
from runs.record.checkpoint import FileCheckpoint
from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
SEARCH = [
    "experiment=lb_relax/one",
    "solver=lns/lb_relax_s",
    "data.generator.items=80",
    "data.generator.bids=160",
    "data.count=3",
    "task.checkpoint_seconds=0",
]
EVALUATIONS = ["task.budget.seconds=null", "task.budget.evaluations=150"]


def trace(launch: Launcher) -> pd.DataFrame:
    """The one run's trace without its clock."""
    (path,) = launch.outputs.rglob("traces.parquet")
    return pd.read_parquet(path).drop(columns="seconds")


def log(launch: Launcher) -> pd.DataFrame:
    (path,) = launch.outputs.rglob("iterations.parquet")
    return pd.read_parquet(path).drop(columns=["select_seconds", "repair_seconds", "overhead_seconds"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    run = launch(*SEARCH, *EVALUATIONS)
    assert run.returncode == 0, run.stdout + run.stderr
    return launch


def assert_same_search(one: Launcher, other: Launcher) -> None:
    pd.testing.assert_frame_equal(trace(one), trace(other))
    pd.testing.assert_frame_equal(log(one), log(other))


def stop_at_random(launch_fresh: Launcher, number: int, clock: random.Random, longest: float, *arguments: str) -> int:
    """Start, wait until the search is on, send the signal some time later; the exit code."""
    process = launch_fresh.start(*SEARCH, *arguments)
    while process.poll() is None and not list(launch_fresh.outputs.rglob("*.state.npz")):
        time.sleep(0.02)
    time.sleep(clock.uniform(0, longest))
    process.send_signal(number)
    process.communicate(timeout=90)
    return process.returncode


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_search_stopped_midway_ends_as_an_undisturbed_one(
    launch: Launcher, launch_fresh: Launcher, undisturbed: Launcher, number: signal.Signals
) -> None:
    code = stop_at_random(launch_fresh, number, random.Random(number), 0.5, *EVALUATIONS)
    assert code in (0, -number if number == signal.SIGKILL else 128 + number)
    assert launch(*SEARCH, *EVALUATIONS).returncode == 0
    assert_same_search(launch, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_search_stopped_many_times_ends_as_an_undisturbed_one(
    launch: Launcher, launch_fresh: Launcher, undisturbed: Launcher, number: signal.Signals
) -> None:
    clock = random.Random(number)
    for _ in range(8):
        stop_at_random(launch_fresh, number, clock, 1.5, *EVALUATIONS)
    assert launch(*SEARCH, *EVALUATIONS).returncode == 0
    assert_same_search(launch, undisturbed)


@pytest.mark.slow
def test_a_search_stopped_many_times_keeps_its_seconds_in_all(launch: Launcher, launch_fresh: Launcher) -> None:
    clock, limit = random.Random(0), ["task.budget.seconds=4"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        stop_at_random(launch_fresh, number, clock, 2.0, *limit)
    assert launch(*SEARCH, *limit).returncode == 0
    (folder,) = launch.folders()
    results = pd.read_parquet(folder / "results.parquet")
    seconds = results.loc[results["metric"] == "seconds", "value"]
    assert len(seconds) == 3
    assert seconds.between(4 - 0.5, 1.05 * 4 + 0.5).all()


def test_the_same_seed_gives_the_same_search_again_and_another_seed_another(
    launch: Launcher, undisturbed: Launcher, tmp_path: Path
) -> None:
    assert launch(*SEARCH, *EVALUATIONS).returncode == 0
    assert launch(*SEARCH, *EVALUATIONS, "force=true").returncode == 0
    assert_same_search(launch, undisturbed)
    other = Launcher(tmp_path / "other seed")
    assert other(*SEARCH, *EVALUATIONS, "seed=1").returncode == 0
    assert not log(other).equals(log(undisturbed))


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A market split: branch and bound finds something at once, and nobody proves anything in a minute."""
    rng = np.random.default_rng(0)
    A = rng.integers(1, 1000, (5, 60)).astype(float)
    half = A.sum(1) // 2
    rows, ub = np.hstack([A, np.eye(5), -np.eye(5)]), [1] * 60 + [100000] * 10
    write_mps(ILP.build([0] * 60 + [1] * 10, rows, half, half, 0, ub, True), tmp_path / "market.mps")
    return tmp_path / "market.mps"


def saved_best(launch: Launcher) -> dict[str, np.ndarray] | None:
    """The state of the one search, once it has a solution."""
    for path in launch.outputs.rglob("*.state.npz"):
        state = FileCheckpoint(path).load()
        if state and "x" in state:
            return state
    return None


def solver_of(launch: Launcher) -> psutil.Process:
    """The child process in which HiGHS solves for this launch."""
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("REPRISE_OUTPUTS") == str(launch.outputs)
            if ours and any("solvers.milp.process" in word for word in process.cmdline()):
                return process
        except psutil.Error:
            continue
    raise AssertionError("no solver runs")


def test_a_killed_solver_is_an_error_with_its_best_so_far_and_the_same_command_goes_on(
    launch: Launcher, market: Path
) -> None:
    command = ["experiment=lb_relax/one", "solver=highs", f"data.path='{market}'", "task.budget.seconds=6"]
    command += ["task.checkpoint_seconds=0"]
    process = launch.start(*command)
    while process.poll() is None and saved_best(launch) is None:
        time.sleep(0.1)
    solver_of(launch).kill()
    output = process.communicate(timeout=90)[0]
    assert process.returncode == 1, output
    assert "SIGKILL" in output
    (folder,) = launch.folders()
    (result,) = instances.load_all(folder)
    assert "the child process died of SIGKILL" in result.error and "its best so far" in result.error
    assert result.metrics["feasible"] == 1.0 and result.metrics["seconds"] < 6
    spent, before = result.metrics["seconds"], result.metrics["primal_bound"]

    run = launch(*command)
    assert run.returncode == 0, run.stdout + run.stderr
    (result,) = instances.load_all(folder)
    assert not result.error and result.metrics["primal_bound"] <= before
    assert spent - 1 < result.metrics["seconds"] <= 1.05 * 6 + 0.5


@pytest.mark.parametrize("solver", ["bnb", pytest.param("cp_sat", marks=pytest.mark.slow)])
def test_a_stopped_branch_and_bound_goes_on_from_its_incumbent_with_the_rest_of_its_budget(
    launch: Launcher, market: Path, solver: str
) -> None:
    command = ["experiment=lb_relax/one", f"solver={solver}", f"data.path='{market}'", "task.budget.seconds=6"]
    command += ["task.checkpoint_seconds=0"]
    process = launch.start(*command)
    while process.poll() is None and saved_best(launch) is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert "the same command goes on from here" in process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM
    state = saved_best(launch)
    assert state is not None
    run = launch(*command)
    assert run.returncode == 0, run.stdout + run.stderr
    (result,) = instances.load_all(launch.folders()[0])
    assert result.trace is not None
    rows = len(state["trace/seconds"])
    assert result.trace.seconds[:rows] == state["trace/seconds"].tolist()
    assert result.trace.objective[:rows] == state["trace/objective"].tolist()
    assert result.metrics["seconds"] <= 1.05 * 6 + 0.5
