"""Regression: what it learns, which weights it keeps, that it can be killed, shared, solved and reported."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from scipy.stats import kendalltau
from torch import Tensor
from torchmetrics.functional.regression import kendall_rank_corrcoef

from data.regression.module import RegressionData
from data.regression.store import SampleStore
from models.encoders.mlp import Standardize, mlp
from models.regressor import Predictor, Regressor, TargetScale
from models.sharding.affine import AffineCost
from runs.errors import ConfigError
from runs.record import instances
from runs.record.callbacks import KeepLast
from runs.record.training_checkpoint import LAST
from runs.store.cache import ArtifactCache
from runs.store.trained import Trained, file_of
from tasks.pretrained import Pretrained
from tasks.regression import Regression, errors
from tasks.trained_network import initialize
from tests.data.regression.sources import Parabola, Sums


class Net(Predictor):
    """A small perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.standardize, self.layers = Standardize(2), mlp([2, 16, 1])

    def fit_inputs(self, x: Tensor) -> None:  # type: ignore[override]
        self.standardize.fit(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.standardize(x)).squeeze(-1)


def data(count: int = 320, **settings: Any) -> RegressionData:
    return RegressionData(SampleStore(Parabola(), count), batch_size=32, **settings)


def task(model: Regressor | None = None, lr: float = 0.02, **settings: Any) -> Regression:
    return Regression(model or Regressor(Net()), partial(torch.optim.Adam, lr=lr), **settings)


def trainer(folder: Path, epochs: int = 4, **settings: Any) -> lightning.Trainer:
    options: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": epochs,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "use_distributed_sampler": False,
    }
    return lightning.Trainer(**(options | settings))


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("scale", [None, TargetScale(True, True)], ids=["plain", "logarithm"])
def test_a_smooth_function_is_learned_and_errors_are_in_its_own_units(
    tmp_path: Path, scale: TargetScale | None
) -> None:
    run, samples = trainer(tmp_path, 40), data()
    learner = task(Regressor(Net(), scale), schedule="cosine")
    run.fit(learner, datamodule=samples)
    (found,) = run.test(learner, datamodule=samples, verbose=False)
    part = samples.part("test")
    with torch.no_grad():
        predicted = learner.best_model(**part.inputs)
    assert found["mse"] == pytest.approx(float(((predicted - part.targets) ** 2).mean()), rel=1e-4)
    assert found["r2"] > 0.98 and found["kendall_tau"] > 0.9 and found["mape"] < 0.06


def test_the_weights_of_the_best_validation_are_kept(tmp_path: Path) -> None:
    seen: list[tuple[float, dict[str, Tensor]]] = []

    class Watch(lightning.Callback):
        def on_train_epoch_start(self, trainer: Any, task: Any) -> None:
            if trainer.current_epoch == 4:
                initialize(task.model, 9)

        def on_validation_end(self, trainer: Any, task: Any) -> None:
            if not trainer.sanity_checking:
                seen.append((float(trainer.callback_metrics["validation_mse"]), weights(task.model)))

    learner = task()
    trainer(tmp_path, 5, callbacks=[Watch()]).fit(learner, datamodule=data())
    best = min(seen, key=lambda each: each[0])
    assert len(seen) == 5 and best[0] < seen[-1][0]
    assert learner.best["validation_mse"] == pytest.approx(best[0])
    assert_equal(weights(learner.best_model), best[1])


def test_a_training_that_is_killed_in_an_epoch_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = task(schedule="cosine", seed=3)
    trainer(tmp_path / "whole").fit(whole, datamodule=data())
    first = task(schedule="cosine", seed=3)
    stopped = trainer(tmp_path / "killed", callbacks=[KeepLast(0), StopAfter(13)])
    with pytest.raises(Killed):
        stopped.fit(first, datamodule=data())
    second = task(schedule="cosine", seed=3)
    path = tmp_path / "killed" / LAST
    trainer(tmp_path / "killed", callbacks=[KeepLast(0)]).fit(
        second, datamodule=data(), ckpt_path=path, weights_only=True
    )
    assert_equal(weights(second.model), weights(whole.model))
    assert_equal(weights(second.best_model), weights(whole.best_model))
    assert second.best == whole.best


class Killed(Exception):
    """Stands for a kill."""


class StopAfter(lightning.Callback):
    """Leaves after so many batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def on_train_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        if trainer.global_step == self.batches:
            raise Killed


def test_the_seed_alone_decides_the_first_weights_and_the_global_state_stays(tmp_path: Path) -> None:
    one, other = Net(), Net()
    before = torch.get_rng_state()
    for network in (one, other):
        initialize(network, 5)
    assert_equal(weights(one), weights(other))
    assert torch.equal(torch.get_rng_state(), before)
    initialize(other, 6)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)


def test_a_network_is_trained_once_and_others_adopt_it(tmp_path: Path) -> None:
    settings = json.dumps({"model": {"_target_": "a.b"}, "seed": 0})
    first = task(name="parabola", settings=settings, cache=str(tmp_path / "cache"))
    trainer(tmp_path / "first", 2).fit(first, datamodule=data())
    second = task(name="parabola", settings=settings, cache=str(tmp_path / "cache"))
    assert not any(parameter.requires_grad for parameter in second.parameters())
    assert_equal(weights(second.best_model), weights(first.best_model))
    assert second.best == first.best
    payload = ArtifactCache(tmp_path / "cache").collection("parabola", json.loads(settings)).get("parabola")
    assert payload is not None and Trained.from_bytes(payload, "it").model == {"_target_": "a.b"}


def pretrained(cache: Path | None, epochs: int = 2) -> Pretrained:
    return Pretrained(
        Regressor(Net()),
        data(),
        partial(task, name="parabola", cache=None if cache is None else str(cache)),
        {"max_epochs": epochs},
        {"accelerator": "cpu", "precision": "32-true"},
    )


def test_a_training_inside_another_run_equals_one_of_its_own_and_is_done_once(tmp_path: Path) -> None:
    alone = task()
    trainer(tmp_path / "alone", 2).fit(alone, datamodule=data())
    torch.manual_seed(99)
    training = pretrained(tmp_path / "cache")
    with torch.inference_mode():  # as in the middle of a test
        inside = training.network(tmp_path / "run")
    assert_equal(weights(inside), weights(alone.best_model))
    assert (tmp_path / "run" / file_of("parabola")).is_file()
    again = pretrained(tmp_path / "cache").network(tmp_path / "other")
    assert_equal(weights(again), weights(inside))
    assert not (tmp_path / "other" / "pretraining").exists()


def test_a_closed_form_is_solved_for_without_a_training(tmp_path: Path) -> None:
    learner = task(Regressor(AffineCost(1)))
    assert not any(parameter.requires_grad for parameter in learner.parameters())
    samples = RegressionData(SampleStore(RenamedSums(), 80), batch_size=8)
    (found,) = trainer(tmp_path).test(learner, datamodule=samples, verbose=False)
    assert found["mse"] == pytest.approx(0, abs=1e-6)


class RenamedSums(Sums):
    """The same under the name that cost models know."""

    def shared(self) -> dict[str, np.ndarray]:
        return {"features": super().shared()["values"]}


def test_blocks_of_the_test_part_are_instances_whose_mean_is_the_whole_and_other_parts_are_named(
    tmp_path: Path,
) -> None:
    run, learner = trainer(tmp_path), task(blocks=4)
    samples = data(test=SampleStore(Parabola(), 64), others={"far": SampleStore(Parabola(), 40)}, name="parabola")
    found = dict(run.test(learner, datamodule=samples, verbose=False)[0])
    results = instances.load_all(tmp_path)
    assert [result.name for result in results] == ["parabola/all", *(f"parabola/block_{i}" for i in range(1, 5))]
    assert instances.means(results)["mse"] == pytest.approx(found["mse"], rel=1e-5)
    assert {"mse_far", "r2_far", "mape_far", "kendall_tau_far"} < found.keys()
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"test.png", "far.png"}


def test_kendalls_tau_is_that_of_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(60, 2))
    predicted = true + rng.normal(size=(60, 2))
    expected = kendall_rank_corrcoef(torch.tensor(predicted).flatten(), torch.tensor(true).flatten())
    assert errors(predicted, true)["kendall_tau"] == pytest.approx(float(expected))
    assert kendalltau(predicted, true).statistic == pytest.approx(float(expected))


def test_a_scale_has_its_inverse_and_its_constants_are_saved() -> None:
    targets = torch.rand(50, 3) * 9 + 1
    for scale in (TargetScale(), TargetScale(True), TargetScale(False, True), TargetScale(True, True)):
        scale.fit(targets)
        torch.testing.assert_close(scale.inverse(scale(targets)), targets)
        other = copy.deepcopy(scale)
        other.load_state_dict(scale.state_dict())
        torch.testing.assert_close(other(targets), scale(targets))


def test_targets_without_a_logarithm_and_unknown_schedules_are_refused() -> None:
    with pytest.raises(ConfigError, match="a target is -1"):
        TargetScale(logarithm=True).fit(torch.tensor([-1.0, 2.0]))
    with pytest.raises(ConfigError, match=r"task\.schedule is 'linear'"):
        task(schedule="linear")
