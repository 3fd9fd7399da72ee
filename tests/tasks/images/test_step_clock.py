"""The clock counts what it should and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runs.errors import ConfigError
from tasks.images.step_clock import StepClock
from tests.models.ssl.joint_recipes import build
from tests.tasks.images.noise_images import train


def test_speeds_are_among_the_results_and_weights_are_the_same(tmp_path: Path) -> None:
    timed = train(build("simclr"), tmp_path, trainer={"callbacks": [StepClock(skip=1)]})
    plain = train(build("simclr"), tmp_path)
    last = timed.history.last()
    assert last["images_per_second"] == pytest.approx(16 * last["steps_per_second"])
    assert all(torch.equal(value, plain.model.state_dict()[key]) for key, value in timed.model.state_dict().items())


def test_channels_last_gives_the_same_weights_up_to_rounding(tmp_path: Path) -> None:
    one, other = train(build("simclr"), tmp_path), train(build("simclr"), tmp_path, channels_last=True)
    for key, value in one.model.state_dict().items():
        torch.testing.assert_close(other.model.state_dict()[key], value, rtol=1e-3, atol=1e-4)


def test_a_training_shorter_than_the_skipped_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="6 steps were made"):
        train(build("simclr"), tmp_path, trainer={"callbacks": [StepClock()]})
    with pytest.raises(ConfigError, match="skip is -1"):
        StepClock(-1)
