"""A sweep that is asked to stop saves what runs and records no failure."""

from __future__ import annotations

import signal
import time

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
