"""A killed run goes on; what it ends with is what an undisturbed run ends with."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.e2e.conftest import Launcher

LEARNING = ["experiment=toy/learning", "callbacks.keep_last.every_seconds=0"]


def final_state(outputs: Path) -> dict:
    (path,) = outputs.rglob("last.ckpt")
    return torch.load(path, weights_only=True)


def assert_same_training(one: dict, other: dict) -> None:
    assert one["global_step"] == other["global_step"]
    assert one["lr_schedulers"] == other["lr_schedulers"]
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    momentum = [state["optimizer_states"][0]["state"] for state in (one, other)]
    assert all(torch.equal(momentum[0][i]["momentum_buffer"], momentum[1][i]["momentum_buffer"]) for i in momentum[0])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    assert launch(*LEARNING).returncode == 0
    return final_state(launch.outputs)


@pytest.mark.parametrize("step", [0, 12, *(pytest.param(step, marks=pytest.mark.slow) for step in (7, 35))])
def test_training_killed_at_a_step_continues_the_same_trajectory(
    launch_fresh: Launcher, undisturbed: dict, step: int
) -> None:
    assert launch_fresh(*LEARNING, TOY_KILL_STEP=str(step)).returncode == -signal.SIGKILL
    assert not launch_fresh.metrics()
    assert launch_fresh(*LEARNING).returncode == 0
    assert_same_training(final_state(launch_fresh.outputs), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_training_killed_at_random_moments_continues_the_same_trajectory(
    launch: Launcher, launch_fresh: Launcher, undisturbed: dict, signal_number: int
) -> None:
    clock = random.Random(signal_number)
    arguments = [*LEARNING, "task.step_seconds=0.1"]
    for _ in range(6):
        process = launch_fresh.start(*arguments)
        time.sleep(clock.uniform(1, 9))
        process.send_signal(signal_number)
        process.communicate(timeout=60)
    assert launch(*arguments).returncode == 0
    assert_same_training(final_state(launch.outputs), undisturbed)


def test_a_non_finite_loss_ends_the_run_as_failed_with_the_batch_saved(launch: Launcher) -> None:
    run = launch(*LEARNING, "task.poison_step=3")
    assert run.returncode == 1
    assert "the training loss became nan" in run.stderr
    (batch,) = launch.outputs.rglob("non_finite_batch.pt")
    assert len(torch.load(batch, weights_only=True)) == 2
    assert not launch.metrics()
