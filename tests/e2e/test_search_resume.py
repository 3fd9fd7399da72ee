"""A search that was stopped or killed goes on; at equal evaluations it ends as an undisturbed one."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

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
