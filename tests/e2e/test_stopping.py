"""A sweep that is asked to stop saves what runs and records no failure."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Launcher

TRAINING = ["-m", "experiment=toy/learning", "callbacks.keep_last.every_seconds=3600"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stopped_sweep_of_trainings_has_no_failure_and_goes_on_from_there(
    launch: Launcher, launch_fresh: Launcher, number: int
) -> None:
    process = launch_fresh.start(*TRAINING, "task.step_seconds=0.5")
    while not any(launch.outputs.rglob("events.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(number)
    output = process.communicate(timeout=90)[0]
    assert process.returncode == 128 + number, output
    assert not list(launch.outputs.rglob("failure.json"))
    if number == signal.SIGTERM:
        assert list(launch.outputs.rglob("last.ckpt"))
    run = launch(*TRAINING, "task.step_seconds=0.5")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(launch.metrics()) == 1


@pytest.mark.parametrize("step", ["4", "test"])
def test_an_interrupt_whose_exception_python_drops_stops_the_run_all_the_same(launch: Launcher, step: str) -> None:
    run = launch(*TRAINING[1:], TOY_LOST_INTERRUPT_STEP=step)
    assert run.returncode == 128 + signal.SIGINT, run.stderr
    assert "the same command goes on from here" in run.stderr
    assert not launch.metrics() and list(launch.outputs.rglob("last.ckpt"))


def test_a_run_that_is_stopped_while_it_imports_says_so(launch_fresh: Launcher) -> None:
    process = launch_fresh.start("experiment=toy/learning", "task.step_seconds=60")
    while not list(launch_fresh.outputs.rglob("owner.lock")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert output.splitlines()[-1] == "stopped by SIGTERM; the same command goes on from here"
    assert not list(launch_fresh.outputs.rglob("failure.json"))


@pytest.mark.parametrize(("sweep", "number"), [([], signal.SIGTERM), (["-m"], signal.SIGINT)])
def test_two_ranks_stop_with_the_run(launch: Launcher, launch_fresh: Launcher, sweep: list[str], number: int) -> None:
    arguments = [*sweep, *TRAINING[1:], "hardware=ddp_cpu", "trainer.max_epochs=100"]
    process = launch_fresh.start(*arguments, "task.step_seconds=0.3")
    while not any(launch.outputs.rglob("events.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(number)
    output = process.communicate(timeout=45)[0]  # before a sweep's hard kill
    assert process.returncode == 128 + number, output
    assert list(launch.outputs.rglob("last.ckpt")), "saved at the end of the batch"
    assert left(launch) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of processes of this user")
def test_workers_and_runs_end_with_a_sweep_that_is_killed_outright(launch_fresh: Launcher, tmp_path: Path) -> None:
    sweep = ["-m", "experiment=toy/misbehaving", "hydra/launcher=joblib", "seed=1,2,3,4", "task.manner=ok"]
    journal = tmp_path / "journal"
    process = launch_fresh.start(*sweep, f"task.journal='{journal}'", "task.seconds=60", "hydra.launcher.n_jobs=2")
    while not journal.exists() or len(journal.read_text().splitlines()) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.kill()
    process.communicate()
    until = time.monotonic() + 30  # well below a run's seconds, and those that an idle worker waits
    while (there := left(launch_fresh)) and time.monotonic() < until:
        time.sleep(0.1)
    assert there == []
    assert len(journal.read_text().splitlines()) == 2, "no job began that nobody waited for"


def left(launch: Launcher) -> list[psutil.Process]:
    """What still runs of the launches into these outputs."""
    return [found for found in psutil.process_iter() if str(launch.outputs) in str(_environment(found))]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
