"""Experiments of every paper that trains, through the launcher, with hardware=gpu and hardware=ddp."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.e2e.conftest import Launcher

FAKE = ["data=images/fake", "data.source.train_per_class=30", "data.source.test_per_class=10", "data.batch_size=64"]
VIT = ["model.encoder.width=64", "model.encoder.layers=2", "model.encoder.heads=4"]
BRIEF = {
    "residual net": ["experiment=ssl/simclr"],
    "moving target, queue": ["experiment=ssl/moco_v2", "model.queue=128"],
    "prototypes": ["experiment=ssl/swav", "model.queue=128"],
    "whitening": ["experiment=ssl/w_mse", "model.sub_batch=64", "model.projector.out=32"],
    "masked": ["experiment=ssl/mae", *VIT],
    "masked distillation": ["experiment=ssl/dinov2", *VIT],
    "compiled, channels last": ["experiment=ssl/simclr", "task.channels_last=true", "task.compiled=true"],
}
SHORT = [f"task.protocols.protocols.{name}.epochs=2" for name in ("linear_sgd", "mlp", "fine_tuned")]
KILLED = [
    "experiment=ssl/moco_v2_small",
    *FAKE,
    "model.queue=128",
    "trainer.max_epochs=3",
    "hardware.precision=32-true",
    "callbacks.keep_last.every_seconds=0",
    "+callbacks.kill._target_=toy_paper.killing.KillAtStep",
]


def finished(launch: Launcher, *arguments: str, **extra: str) -> dict[str, float]:
    """Metrics of the one run."""
    run = launch(*arguments, **extra)
    assert run.returncode == 0, run.stdout + run.stderr
    (metrics,) = launch.metrics().values()
    return metrics


@pytest.mark.parametrize("what", BRIEF)
def test_a_recipe_trains_and_all_protocols_judge_it(launch: Launcher, what: str) -> None:
    metrics = finished(launch, *BRIEF[what], *FAKE, "trainer.max_epochs=2", "hardware=gpu", "task/protocols=quick")
    assert np.isfinite(metrics["training_loss"]) and 0 <= metrics["knn"] <= 100


def test_all_protocols_judge_a_checkpoint(launch: Launcher) -> None:
    run = launch("experiment=ssl/simclr", *FAKE, "trainer.max_epochs=1", "hardware=gpu", "task/protocols=none")
    assert run.returncode == 0, run.stdout + run.stderr
    (folder,) = launch.folders()
    run = launch(
        "experiment=ssl/evaluate", f"checkpoint='{folder}'", *FAKE, "hardware=gpu", "task/protocols=all", *SHORT
    )
    assert run.returncode == 0, run.stdout + run.stderr
    judged = pd.read_parquet(next(p / "results.parquet" for p in launch.folders() if p != folder))
    assert {"knn", "linear", "rank_me_h", "lidar_h"} <= set(judged["metric"])


def test_a_killed_run_goes_on(launch: Launcher, tmp_path: Path) -> None:
    undisturbed = finished(Launcher(tmp_path / "undisturbed", fresh=True), *KILLED, "hardware=gpu")
    assert launch(*KILLED, "hardware=gpu", TOY_KILL_STEP="8").returncode == -signal.SIGKILL
    assert finished(launch, *KILLED, "hardware=gpu")["training_loss"] == pytest.approx(
        undisturbed["training_loss"], rel=1e-2
    )


def test_nccl_with_every_gpu_trains_as_one_gpu(launch: Launcher, tmp_path: Path) -> None:
    alone = finished(Launcher(tmp_path / "alone", fresh=True), *KILLED, "hardware=gpu")
    spread = finished(launch, *KILLED, "hardware=ddp")
    assert spread["training_loss"] == pytest.approx(alone["training_loss"], rel=1e-2)


def test_synthetic_dynamics(launch: Launcher) -> None:
    tiny = ["data.length=8", "data.batch_size=4", "data.steps=12", "data.replicas=2"]
    finished(launch, "experiment=scan_snap/figure_4_small", *tiny, "task.snapshots=[0,2]", "hardware=gpu")


def test_text(launch: Launcher, tmp_path: Path) -> None:
    words = np.random.default_rng(1).zipf(1.5, 700) % 60
    (tmp_path / "zipf.txt").write_text(" ".join(f"w{word}" for word in words))
    tiny = ["data.vocabulary_size=40", "data.batch_size=4", "data.context=12", "data.evaluation_batches=2"]
    length = ["trainer.max_steps=24", "trainer.val_check_interval=4", "task.map_steps=[0,12]", "model.layers=2"]
    metrics = finished(
        launch,
        "experiment=scan_snap/wikitext_small",
        *tiny,
        *length,
        f"data.path={tmp_path / 'zipf.txt'}",
        "hardware=gpu",
    )
    assert all(np.isfinite(value) for value in metrics.values())


def test_a_policy_for_integer_programs(launch: Launcher) -> None:
    pytest.importorskip("highspy")
    finished(
        launch, "experiment=cl_lns/ca_small", "hydra.mode=RUN", "seed=0", "data.train.generator={items:30,bids:60}",
        "data.train.count=6", "data.validation_share=0.34", "data.collector.size=6", "data.batch_size=4",
        "data.collector.start_budget.evaluations=1", "data.collector.start.size.initial=10", "trainer.max_epochs=3",
        "data.test.generator={items:40,bids:80}", "data.test.count=2", "task.budget={seconds:null,evaluations:5}",
        "hardware=gpu", REPRISE_CACHE=str(launch.outputs / "cache"),
    )  # fmt: skip
    state = torch.load(next(launch.outputs.rglob("policy.pt")), weights_only=True)["policy"]
    assert all(weight.isfinite().all() for weight in state.values() if isinstance(weight, torch.Tensor))
