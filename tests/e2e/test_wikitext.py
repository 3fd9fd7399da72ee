"""The WikiText experiments through the launcher, on a text made here: killed, on two processes, as sweeps, with bad text."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher

EXPERIMENTS = {
    choice.name: choice
    for choice in choices(CONF, "experiment/scan_snap")
    if choice.name.startswith(("wikitext", "figure_7", "figure_8"))
}
TINY = [
    "data.vocabulary_size=40",
    "data.batch_size=4",
    "data.context=12",
    "data.evaluation_batches=2",
    "model.width=16",
    "model.heads=2",
    "model.feed_forward=16",
    "trainer.max_steps=24",
    "trainer.val_check_interval=4",
    "task.map_steps=[0,12]",
]
RESUMABLE = [
    "experiment=scan_snap/wikitext_small",
    *TINY,
    "model.layers=2",
    "callbacks.keep_last.every_seconds=0",
    "+callbacks.kill._target_=toy_paper.killing.KillAtStep",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The override that gives a text of 700 words."""
    words = np.random.default_rng(1).zipf(1.5, 700) % 60
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text(" ".join(f"w{word}" for word in words))
    return f"data.path={path}"


@pytest.fixture(scope="module")
def undisturbed(text: str, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    run = launch(*RESUMABLE, text)
    assert run.returncode == 0, run.stdout + run.stderr
    return launch


def weights(launch: Launcher) -> dict[str, torch.Tensor]:
    (path,) = launch.outputs.rglob("last.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def curve(launch: Launcher) -> pd.DataFrame:
    (folder,) = launch.folders()
    return pd.read_parquet(folder / "iterations.parquet")


@pytest.mark.slow
def test_a_killed_run_ends_bit_for_bit_as_the_undisturbed_one(
    launch: Launcher, undisturbed: Launcher, text: str
) -> None:
    assert launch(*RESUMABLE, text, TOY_KILL_STEP="16").returncode == -signal.SIGKILL
    assert launch(*RESUMABLE, text).returncode == 0
    ours, theirs = weights(launch), weights(undisturbed)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    pd.testing.assert_frame_equal(curve(launch), curve(undisturbed), check_exact=True)


def test_two_processes_with_dropout_train_as_one_does(launch: Launcher, undisturbed: Launcher, text: str) -> None:
    run = launch(*RESUMABLE, text, "hardware=ddp_cpu")
    assert run.returncode == 0, run.stdout + run.stderr
    numeric = curve(undisturbed).select_dtypes("number")
    assert numeric["step"].tolist() == list(range(0, 25, 4))
    pd.testing.assert_frame_equal(curve(launch).select_dtypes("number"), numeric, rtol=1e-4)
    ((_, spread),), ((_, alone),) = launch.metrics().items(), undisturbed.metrics().items()
    assert spread == pytest.approx(alone, rel=1e-3)
    ours, theirs = weights(launch), weights(undisturbed)
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=1e-3, atol=1e-4)


def test_the_figures_and_the_report_of_a_run_are_there(undisturbed: Launcher) -> None:
    (folder,) = undisturbed.folders()
    assert {path.name for path in (folder / "figures").glob("*.png")} >= {"attention_maps.png", "entropy.png"}
    results = pd.read_parquet(folder / "results.parquet")
    assert set(results["instance"]) == {"zipf/evaluation"}
    assert {"entropy_fall", "late_change", "entropy_layer_2", "evaluation_loss"} <= set(results["metric"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_wikitext_experiment_says_its_command_and_composes(launch: Launcher, name: str) -> None:
    assert is_told(EXPERIMENTS[name])
    run = launch(f"experiment=scan_snap/{name}", "--cfg", "job", "--resolve", REPRISE_DATA="nowhere")
    assert run.returncode == 0, run.stderr
    assert "_target_: tasks.text.language_model.LanguageModeling" in run.stdout


@pytest.mark.parametrize(
    ("name", "rows"),
    [("figure_7_small", {"layers_1", "layers_3"}), ("figure_8_small", {"lr_1_ratio_5", "lr_5_ratio_5"})],
)
def test_the_small_sweeps_report_a_row_per_setting(launch: Launcher, text: str, name: str, rows: set[str]) -> None:
    fewer = ["seed=0", "hydra/launcher=basic"] + (["task.feed_forward_ratio=5"] if name == "figure_8_small" else [])
    run = launch(f"experiment=scan_snap/{name}", *TINY, *fewer, text)
    assert run.returncode == 0, run.stdout + run.stderr
    (report,) = launch.outputs.rglob("report.csv")
    assert set(pd.read_csv(report)["method"]) == rows
    claims = pd.read_csv(report.with_name("claims.csv"))
    assert len(claims) >= 2


def test_one_setting_of_the_learning_rates_is_a_run_named_after_it(launch: Launcher, text: str) -> None:
    small = ["experiment=scan_snap/wikitext_lr_small", *TINY, text]
    run = launch(*small, "optimizer.lr=1", "task.feed_forward_ratio=2")
    assert run.returncode == 0, run.stdout + run.stderr
    results = pd.read_parquet(next(launch.outputs.rglob("results.parquet")))
    assert set(results["method"]) == {"lr_1_ratio_2"}
    assert np.isfinite(results.loc[results["metric"] == "entropy_end", "value"]).all()


def test_a_text_that_cannot_be_used_ends_the_run_with_one_line(launch: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(b"fine\n\xff\xfe")
    run = launch("experiment=scan_snap/wikitext_small", *TINY, f"data.path={path}")
    assert run.returncode == 2
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error"))
    assert f"data.path: {path}, line 2: not UTF-8" in line
    assert "Traceback" not in run.stderr
