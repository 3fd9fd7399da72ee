"""The loop of self-supervised training on noise: schedules, hooks, resuming, labels that never reach the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from runs.errors import ConfigError
from runs.record.callbacks import KeepLast
from solvers.optimizers.warmup_cosine import warmup_cosine
from tests.models.ssl.joint_recipes import build
from tests.tasks.images.noise_images import NoiseImages, train


class Watch(lightning.Callback):
    """Notes the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Any, task: Any, batch: Any, index: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


class Killed(Exception):
    """What ends a training at a step."""


class StopAt(lightning.Callback):
    """Saves and ends the training after a step."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Any, *arguments: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise Killed


def test_the_rate_is_scaled_by_the_batch_and_follows_warm_up_and_cosine_step_by_step(tmp_path: Path) -> None:
    watch = Watch()
    train(build("simclr"), tmp_path, trainer={"callbacks": [watch]})
    assert watch.rates == pytest.approx([1.6 * 16 / 256 * warmup_cosine(step, 6, 3) for step in range(6)])


@pytest.mark.parametrize(("rule", "factor"), [("linear", 16 / 256), ("sqrt", 4 / 16), ("none", 1.0)])
def test_the_rule_says_how_the_rate_follows_the_batch(tmp_path: Path, rule: str, factor: float) -> None:
    watch = Watch()
    train(build("simclr"), tmp_path, lr_rule=rule, warmup=0, epochs=1, trainer={"callbacks": [watch]})
    assert watch.rates[0] == pytest.approx(1.6 * factor)


def test_vectors_do_not_decay_and_matrices_do(tmp_path: Path) -> None:
    task = train(build("byol"), tmp_path, epochs=1)
    decayed, free = task.optimizers().param_groups  # type: ignore[union-attr]
    assert decayed["weight_decay"] == 0.1 and free["weight_decay"] == 0
    assert all(weight.ndim > 1 for weight in decayed["params"]) and all(bias.ndim == 1 for bias in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == sum(p.requires_grad for p in task.model.parameters())


def test_the_target_moves_after_every_step_by_the_schedule(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(build("byol"), tmp_path, trainer={"callbacks": [StopAt(1, tmp_path / "one.ckpt")]})
    start = build("byol").state_dict()["encoder.layers.0.weight"]
    now = torch.load(tmp_path / "one.ckpt", weights_only=True)["state_dict"]
    expected = 0.9 * start + 0.1 * now["model.encoder.layers.0.weight"]
    torch.testing.assert_close(now["model.target.network.module.0.layers.0.weight"], expected)


@pytest.mark.parametrize("name", ["byol", "moco_v2", "dino", "swav", "direct_pred", "w_mse"])
def test_an_interrupted_training_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path: Path, name: str) -> None:
    whole = train(build(name), tmp_path, trainer={"callbacks": [KeepLast()]})
    with pytest.raises(Killed):
        stop = [KeepLast(), StopAt(2, tmp_path / "half.ckpt")]
        train(build(name), tmp_path, trainer={"callbacks": stop})
    torch.manual_seed(99)
    resumed = train(build(name), tmp_path, trainer={"callbacks": [KeepLast()]}, resume=tmp_path / "half.ckpt")
    for key, value in whole.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, resumed.state_dict()[key]), key
    assert whole.history.points == resumed.history.points


def test_labels_reach_the_probe_and_nothing_else(tmp_path: Path) -> None:
    labels = torch.arange(48) % 4
    clip = {"gradient_clip_val": 0.01}
    one = train(build("byol"), tmp_path, trainer=clip)
    other = train(build("byol"), tmp_path, NoiseImages(labels=labels.flip(0)), trainer=clip)
    without = train(build("byol"), tmp_path, probe_lr=None, trainer=clip)
    for key, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[key]), key
        assert torch.equal(value, without.model.state_dict()[key]), key
    assert one.probe is not None and other.probe is not None
    assert not torch.equal(one.probe.weight, other.probe.weight)


def test_the_curve_has_a_point_before_training_and_one_per_epoch(tmp_path: Path) -> None:
    history = train(build("vicreg"), tmp_path).history
    assert list(history.points) == [0, 1, 2]
    assert {"training_loss", "online_accuracy", "batch_rank_h", "batch_spread_z"} <= set(history.points[2])
    assert 1 <= history.points[2]["batch_rank_h"] <= 12


def test_a_training_of_no_epochs_leaves_the_encoder_as_it_is(tmp_path: Path) -> None:
    before = build("simclr").state_dict()
    after = train(build("simclr"), tmp_path, epochs=0).model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_a_recipe_with_a_support_refuses_data_without(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PAWS needs labelled images beside each batch; add"):
        train(build("paws"), tmp_path, NoiseImages())


@pytest.mark.parametrize("name", ["supervised", "paws"])
def test_a_recipe_for_another_number_of_classes_is_refused(tmp_path: Path, name: str) -> None:
    data = NoiseImages()
    data.classes = ("a", "b", "c")  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"model.classes is 4 and data 'noise' has 3; set model.classes=3"):
        train(build(name), tmp_path, data)


def test_a_recipe_with_labels_refuses_data_without(tmp_path: Path) -> None:
    data = NoiseImages()
    data.classes = ()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="SupCon needs labels and data 'noise' has none"):
        train(build("supcon"), tmp_path, data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup": -1}, "task.warmup is -1"),
        ({"lr_rule": "liner"}, "did you mean 'linear'"),
        ({"probe_lr": 0.0}, "task.probe_lr is 0.0"),
        ({"trainer": {"accumulate_grad_batches": 2}}, "accumulate_grad_batches must be 1"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(build("simclr"), tmp_path, **options)
