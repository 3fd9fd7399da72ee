"""Imitation learning: the best validation epoch, the rate, the store of trained policies, the search with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from data.ilp.expert.module import ExpertPrograms
from models.graphs.gat import GAT
from models.ilp.losses import LossSum
from models.ilp.policy import NeighborhoodPolicy
from runs.errors import ConfigError
from runs.store.cache import ArtifactCache
from runs.store.trained import Trained, file_of
from solvers.lns.destroy.scored import Scored
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.scorers.trained import POLICY, TrainedPolicy
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs
from tasks.ilp.imitation import Imitation
from tests.solvers.lns.experts import SETTINGS, auctions, expert

pytest.importorskip("highspy")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the records of four auctions."""
    folder = tmp_path_factory.mktemp("experts")
    data(folder).setup("fit")
    return folder


def data(cache: Path) -> ExpertPrograms:
    return ExpertPrograms(
        auctions(4), auctions(2), expert(), str(cache), json.dumps(SETTINGS), validation_share=0.25, batch_size=4
    )


def task(**settings: Any) -> Imitation:
    torch.manual_seed(0)
    policy = NeighborhoodPolicy(GAT(16), width=16)
    solver = LargeNeighborhoodSearch(Scored(), Highs(), start=Greedy())
    arguments: dict[str, Any] = {
        "budget": {"evaluations": 3},
        "seed": 0,
        "optimizer": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, amsgrad=True),
        "recall_at": 6,
    }
    return Imitation(policy, solver, **(arguments | settings))


def trainer(folder: Path, **settings: Any) -> lightning.Trainer:
    options: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": 3,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
        "use_distributed_sampler": False,
    }
    return lightning.Trainer(**(options | settings))


def weights(policy: NeighborhoodPolicy) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in policy.state_dict().items() if isinstance(value, torch.Tensor)}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


class Epochs(lightning.Callback):
    """Remembers validation losses, weights and rates of all epochs."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.weights: list[dict[str, torch.Tensor]] = []
        self.rates: list[float] = []

    def on_validation_end(self, trainer: Any, task: Any) -> None:
        self.losses.append(float(trainer.callback_metrics["validation_loss"]))
        self.weights.append(weights(task.policy))
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("objective", ["contrastive", "bce"])
def test_the_search_gets_the_epoch_with_the_best_validation_loss(cache: Path, tmp_path: Path, objective: Any) -> None:
    epochs, module = Epochs(), task(objective=objective, optimizer=lambda p: torch.optim.AdamW(p, lr=0.05))
    trainer(tmp_path, max_epochs=6, callbacks=[epochs]).fit(module, datamodule=data(cache))
    best = min(range(6), key=epochs.losses.__getitem__)
    assert len(set(epochs.losses)) == 6
    assert_equal(weights(module.scorer.policy), epochs.weights[best])
    assert module.best["validation_loss"] == pytest.approx(epochs.losses[best])
    assert {"validation_auc", "validation_recall", "validation_margin"} < module.best.keys()


def test_training_fits_what_it_is_shown(cache: Path, tmp_path: Path) -> None:
    module, module_data = task(), data(cache)
    module_data.setup("fit")
    losses: list[float] = []
    for epochs in (1, 25):
        trainer(tmp_path, max_epochs=epochs).fit(module, datamodule=module_data)
        loss = [module._loss(module._scores(batch), batch).mean for batch in module_data.train_dataloader()]
        losses.append(torch.stack(loss).mean().item())
    assert losses[1] < 0.7 * losses[0]


def test_inputs_are_normalised_over_the_training_states_before_the_first_step(cache: Path, tmp_path: Path) -> None:
    module, module_data = task(), data(cache)
    trainer(tmp_path, max_epochs=1).fit(module, datamodule=module_data)
    states = [module_data.train_states[i] for i in range(len(module_data.train_states))]
    rows = torch.cat([torch.from_numpy(state.rows) for state in states]).double()
    torch.testing.assert_close(module.policy.row_norm.mean.double(), rows.mean(0), rtol=1e-5, atol=1e-6)
    assert_equal(weights(module.scorer.policy.row_norm), weights(module.policy.row_norm))  # type: ignore[arg-type]


def test_the_rate_is_halved_when_validation_stands_still_for_longer_than_patience(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def still(scores: Any, batch: Any, *settings: Any) -> LossSum:
        return LossSum(scores.sum() * 0, torch.tensor(1.0))

    monkeypatch.setattr("tasks.ilp.imitation.contrastive_loss", still)
    epochs, module = Epochs(), task(patience=2)
    trainer(tmp_path, max_epochs=9, callbacks=[epochs]).fit(module, datamodule=data(cache))
    assert epochs.rates == [0.01] * 4 + [0.005] * 3 + [0.0025] * 2


def test_a_resumed_training_ends_with_the_same_policy_though_the_best_epoch_was_before(
    cache: Path, tmp_path: Path
) -> None:
    def fitted(folder: Path, epochs: int, checkpoint: Path | None = None) -> tuple[Imitation, lightning.Trainer]:
        module, fitter = task(optimizer=lambda p: torch.optim.AdamW(p, lr=0.05)), trainer(folder, max_epochs=epochs)
        fitter.fit(module, datamodule=data(cache), ckpt_path=checkpoint, weights_only=True)
        return module, fitter

    whole, _ = fitted(tmp_path, 5)
    _, half = fitted(tmp_path, 3)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = fitted(tmp_path, 5, tmp_path / "half.ckpt")
    assert_equal(weights(resumed.policy), weights(whole.policy))
    assert_equal(weights(resumed.scorer.policy), weights(whole.scorer.policy))
    assert resumed.best == whole.best


def test_the_test_searches_with_the_policy_and_leaves_it_in_the_run_folder(cache: Path, tmp_path: Path) -> None:
    module, module_data = task(), data(cache)
    fitter = trainer(tmp_path, max_epochs=1)
    fitter.fit(module, datamodule=module_data)
    fitter.test(module, datamodule=module_data, verbose=False)
    assert_equal(weights(TrainedPolicy(run=str(tmp_path)).policy), weights(module.scorer.policy))
    assert Trained.from_bytes((tmp_path / file_of(POLICY)).read_bytes(), "run").validation == module.best
    from runs.record.instances import load_all

    results = load_all(tmp_path)
    assert [result.metrics["feasible"] for result in results] == [1.0, 1.0]
    assert all(result.metrics["validation_loss"] == module.best["validation_loss"] for result in results)
    assert all(result.metrics["feature_seconds"] > 0 for result in results)


def test_a_policy_is_trained_once_for_all_runs_that_need_it(cache: Path, tmp_path: Path) -> None:
    stored = {"cache": str(tmp_path / "cache"), "settings": json.dumps({"seed": 0})}
    first = task(**stored)
    trainer(tmp_path / "first", max_epochs=1).fit(first, datamodule=data(cache))
    second, other = task(**stored), task(**(stored | {"settings": json.dumps({"seed": 1})}))
    assert not any(parameter.requires_grad for parameter in second.parameters())
    assert_equal(weights(second.scorer.policy), weights(first.scorer.policy))
    assert second.best == first.best
    assert any(parameter.requires_grad for parameter in other.parameters())


def test_a_stored_policy_of_another_form_is_refused(tmp_path: Path) -> None:
    artifacts = ArtifactCache(tmp_path).collection(POLICY, {})
    artifacts.put(POLICY, Trained(NeighborhoodPolicy(GAT()).state_dict(), {}).to_bytes())
    with pytest.raises(ConfigError, match="width 64, this one 16"):
        task(cache=str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "hinge"}, "task.objective is 'hinge'; choose contrastive or bce"),
        ({"patience": 0}, "task.patience is 0"),
        ({"recall_at": 0}, "task.recall_at is 0"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(**settings)
