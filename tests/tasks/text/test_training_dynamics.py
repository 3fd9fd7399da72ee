"""Training side by side gives every model what training it alone, sample by sample, gives."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from data.text.sequences import SyntheticSequences
from data.text.synthetic import CoOccurrence
from models.text.one_layer import OneLayerTransformer
from runs.errors import ConfigError
from runs.record import instances
from tasks.text.training_dynamics import TrainingDynamics, token_counts

WORLD = CoOccurrence(num_last=2, num_common=3, num_unique_per_next=4)
LENGTH, STEPS, BATCH = 12, 6, 8
SGD = functools.partial(torch.optim.SGD, lr=1.0, momentum=0.9)


def train(
    folder: Path,
    replicas: int = 2,
    seed: int = 0,
    optimizer: Any = SGD,
    model: Any = OneLayerTransformer,
    double: bool = False,
    **settings: Any,
) -> TrainingDynamics:
    data = SyntheticSequences("toy", WORLD, LENGTH, BATCH, STEPS, seed, replicas)
    task = TrainingDynamics(model, optimizer, WORLD, LENGTH, STEPS, seed, replicas, **settings)
    trainer = lightning.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        precision="64-true" if double else "32-true",
    )
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    return task


class Reference(nn.Module):
    """One model, one sample at a time, in all M tokens, as a reader of the paper would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.Z = nn.Linear(WORLD.vocabulary_size, WORLD.vocabulary_size, bias=False)
        self.Y = nn.Linear(WORLD.vocabulary_size, WORLD.vocabulary_size, bias=False)

    def forward(self, tokens: Tensor, query: int) -> Tensor:
        x = torch.eye(WORLD.vocabulary_size, dtype=torch.float64)
        b = torch.softmax(x[tokens] @ self.Z(x[query]), dim=0)
        c = b @ x[tokens]
        return self.Y(c / c.norm())


def test_replicas_follow_the_trajectory_of_plain_models_trained_sample_by_sample(tmp_path: Path) -> None:
    rates = {"eta_z": [0.5, 2.0], "ratio": [1.0, 3.0]}
    task = train(tmp_path, replicas=2, double=True, **rates)
    start = TrainingDynamics(OneLayerTransformer, SGD, WORLD, LENGTH, STEPS, 0, 2, **rates).double()
    batches = list(SyntheticSequences("toy", WORLD, LENGTH, BATCH, STEPS, replicas=2).train_dataloader())
    width = WORLD.context_size
    for cell, before, after in zip(task.cells, start._models, task._models, strict=True):
        for replica in range(2):
            torch.manual_seed(0)
            reference = Reference().double()
            with torch.no_grad():  # PyTorch keeps y = W x: our Z and Y are its transposed weights
                reference.Z.weight[:width, width : width + 2] = before.weights.Z[replica, 0].T
                reference.Y.weight[:, :width] = before.weights.Y[replica].T
            groups = [
                {"params": reference.Z.parameters(), "lr": cell.eta_z},
                {"params": reference.Y.parameters(), "lr": cell.eta_z * cell.ratio},
            ]
            optimizer = torch.optim.SGD(groups, momentum=0.9)
            for batch in batches:
                optimizer.zero_grad()
                loss = torch.zeros(())
                for n, tokens in zip(batch.classes[replica].tolist(), batch.tokens[replica], strict=True):
                    logits = reference(tokens, int(WORLD.last_token[n]))
                    loss = loss - logits.log_softmax(0)[WORLD.next_token[n]] / BATCH
                loss.backward()
                optimizer.step()
            assert torch.allclose(reference.Z.weight[:width, width : width + 2].T, after.weights.Z[replica, 0])
            assert torch.allclose(reference.Y.weight[:, :width].T, after.weights.Y[replica])
            assert not torch.allclose(before.weights.Z[replica], after.weights.Z[replica], atol=1e-3)


def test_a_seed_trained_alone_ends_as_it_does_among_others(tmp_path: Path) -> None:
    among = train(tmp_path / "among", replicas=5)
    alone = train(tmp_path / "alone", replicas=1, seed=3)
    for name, tensor in alone.models[0].state_dict().items():
        assert torch.allclose(tensor[0], among.models[0].state_dict()[name][3], atol=1e-6), name


@pytest.mark.parametrize(
    "optimizer", [functools.partial(torch.optim.Adam, lr=0.1), functools.partial(SGD, weight_decay=0.1), SGD]
)
def test_a_cell_trained_alone_ends_as_it_does_among_others(tmp_path: Path, optimizer: Any) -> None:
    among = train(tmp_path / "among", optimizer=optimizer, eta_z=[0.5, 2.0], ratio=[1.0, 3.0])
    alone = train(tmp_path / "alone", optimizer=optimizer, eta_z=[2.0], ratio=[3.0])
    for name, tensor in alone.models[0].state_dict().items():
        assert torch.equal(tensor, among.models[3].state_dict()[name]), name


def test_results_name_their_cell_and_seed_and_the_run_s_own_rows_average_the_cells(tmp_path: Path) -> None:
    train(tmp_path, replicas=2, seed=1, eta_z=[0.5, 1.0], ratio=[2.0, 5.0])
    rows = instances.load_all(tmp_path)
    own = {row.seed: row.metrics for row in rows if row.method is None}
    cells = {(row.method, row.seed): row.metrics["entropy"] for row in rows if row.method is not None}
    assert {method for method, _ in cells} == {f"eta_z {z}, ratio {r}" for z in ("0.5", "1") for r in (2, 5)}
    assert set(own) == {2, 3}
    for seed, metrics in own.items():
        mine = [value for (_, of), value in cells.items() if of == seed]
        assert metrics["entropy"] == pytest.approx(sum(mine) / 4)
    assert all({"entropy_slope_ratio", "entropy_slope_eta_z"} <= set(metrics) for metrics in own.values())
    assert (tmp_path / "figures" / "entropy.png").read_bytes().startswith(b"\x89PNG")


def test_snapshots_are_taken_before_the_step_they_name(tmp_path: Path) -> None:
    task = train(tmp_path, model=functools.partial(OneLayerTransformer, init="zeros"), snapshots=[0, 2])
    c = task.get_buffer("path")[0]
    own = WORLD.probabilities.gather(1, WORLD.own).float()
    assert task.moments == [0, 2, 3]
    assert torch.allclose(c[0, 0, 0], own, atol=1e-6), "uniform attention leaves c at P(l|n)"
    assert not torch.allclose(c[1, 0, 0], own, atol=1e-4)
    assert (tmp_path / "figures" / "attention.png").read_bytes().startswith(b"\x89PNG")


def test_tokens_are_counted() -> None:
    assert token_counts(torch.tensor([[[2, 0, 2]]]), 4).tolist() == [[[1.0, 0.0, 2.0, 0.0]]]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"eta_z": []}, "eta_z"),
        ({"ratio": [0.0]}, "ratio"),
        ({"eta_z": [-1.0]}, "eta_z"),
        ({"snapshots": [STEPS + 1]}, "snapshots"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        TrainingDynamics(OneLayerTransformer, SGD, WORLD, LENGTH, STEPS, 0, 1, **settings)
