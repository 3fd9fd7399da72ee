"""The self-supervised experiments through the launcher: composed, killed, on two processes, swept."""

from __future__ import annotations

import json
import signal

import pandas as pd
import pytest
import torch

from runs.launch import command
from runs.launch.rows import choices, names
from tests.composition import CONF, is_told
from tests.e2e.conftest import ROOT, Launcher

EXPERIMENTS = {choice.name: choice for choice in choices(CONF, "experiment/ssl")}
NAMES = [name for name in EXPERIMENTS if not name.startswith("theory") and name != "evaluate"]
FAKE = [
    "data=images/fake",
    "data.source.train_per_class=24",
    "data.source.test_per_class=8",
    "data.batch_size=32",
    "data.size=16",
]
TINY = [
    *FAKE,
    "model.encoder.widths=[8,8,16]",
    "model.projector.hidden=16",
    "model.projector.out=8",
    "callbacks.keep_last.every_seconds=0",
    "+callbacks.kill._target_=toy_paper.killing.KillAtStep",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_says_its_command_and_composes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_told(EXPERIMENTS[name])
    monkeypatch.chdir(ROOT)
    extra = ["data.source.folder=own"] if name == "auto" else []
    assert command.main(lambda cfg: None, [f"experiment=ssl/{name}", *extra, "--cfg", "job", "--resolve"]) == 0
    assert "_target_: tasks.images." in capsys.readouterr().out


CHANGES = sorted(
    f"experiment=ssl/{experiment} ssl/{group}={name}"
    for group, experiment in {
        "augmentation": "table_augmentation",
        "optimisation": "table_optimisation",
        "ingredient": "figure_collapse",
        "speed": "table_speed",
    }.items()
    for name in names(CONF, f"ssl/{group}")
)


@pytest.mark.parametrize("changed", CHANGES)
def test_every_change_composes_and_names_its_row(
    changed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert command.main(lambda cfg: None, [*changed.split(), "--cfg", "job", "--resolve"]) == 0
    (method,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("method: "))
    assert len(method) > len("method: ")


@pytest.mark.parametrize(
    "rows", ["figure_collapse_small ssl/ingredient", "table_families_small ssl/small", "table_families ssl/recipe"]
)
def test_an_untrained_row_is_not_trained(
    rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert command.main(lambda cfg: None, [*f"experiment=ssl/{rows}=untrained".split(), "--cfg", "job"]) == 0
    assert "max_epochs: 0\n" in capsys.readouterr().out


def weights(launch: Launcher) -> dict[str, torch.Tensor]:
    (path,) = launch.outputs.rglob("last.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


KILLED = [
    "experiment=ssl/moco_v2_small",
    *TINY,
    "model.queue=64",
    "trainer.max_epochs=2",
    "hardware.precision=32-true",
    "task/protocols=quick",
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    run = launch(*KILLED)
    assert run.returncode == 0, run.stdout + run.stderr
    return launch


def test_a_killed_run_ends_bit_for_bit_as_the_undisturbed_one(launch: Launcher, undisturbed: Launcher) -> None:
    assert launch(*KILLED, TOY_KILL_STEP="8").returncode == -signal.SIGKILL
    run = launch(*KILLED)
    assert run.returncode == 0, run.stdout + run.stderr
    ours, theirs = weights(launch), weights(undisturbed)
    assert {"model.target.network.module.0.stem.0.weight", "model.queues.0.features", "probe.weight"} <= set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    ((_, again),), ((_, alone),) = launch.metrics().items(), undisturbed.metrics().items()
    assert again == alone


@pytest.mark.slow
def test_two_processes_train_as_one_does(launch: Launcher, undisturbed: Launcher) -> None:
    run = launch(*KILLED, "hardware=ddp_cpu")
    assert run.returncode == 0, run.stdout + run.stderr
    ours, theirs = weights(launch), weights(undisturbed)
    for name, weight in theirs.items():
        torch.testing.assert_close(
            ours[name], weight, rtol=1e-2, atol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )
    ((_, spread),), ((_, alone),) = launch.metrics().items(), undisturbed.metrics().items()
    assert spread["training_loss"] == pytest.approx(alone["training_loss"], rel=1e-4)


def test_the_record_has_the_metrics_the_curve_and_the_figures(undisturbed: Launcher) -> None:
    (folder,) = undisturbed.folders()
    results = pd.read_parquet(folder / "results.parquet")
    assert set(results["instance"]) == {"fake/test"} and set(results["method"]) == {"moco_v2"}
    assert {"knn", "linear", "rank_me_h", "rank_me_z", "training_loss", "collapse_alarm"} <= set(results["metric"])
    curve = pd.read_parquet(folder / "iterations.parquet")
    assert curve["epoch"].tolist() == [0, 1, 2] and curve["batch_rank_h"].notna().all()
    assert (folder / "figures" / "training.png").exists()


@pytest.mark.slow
def test_a_sweep_over_recipes_has_a_row_for_each_and_one_for_the_untrained_encoder(launch: Launcher) -> None:
    run = launch("-m", "experiment=ssl/table_families_small", *TINY, "ssl/small=untrained,simclr", "seed=0")
    assert run.returncode == 0, run.stdout + run.stderr
    (report,) = launch.outputs.rglob("report.csv")
    table = pd.read_csv(report).set_index(["method", "metric"])["mean"]
    assert table["untrained", "epochs"] == 0 and table["simclr", "epochs"] == 8
    assert {"knn", "linear", "rank_me_h"} <= set(table["untrained"].index)


SWEPT = {
    "figure_collapse_small": ("ssl/ingredient=simsiam,simsiam_neither", {"rank_me_h", "spread_h"}),
    "table_projector_small": ("model.projector.layers=0,2", {"knn", "knn_lost_in_projector"}),
    "table_augmentation_small": ("ssl/augmentation=no_crop,local_2_small", {"knn"}),
    "table_optimisation_small": ("ssl/optimisation=batch_64_sqrt,lars", {"knn"}),
    "table_rates_small": ("ssl/small=simclr optimizer.lr=0.01,0.06", {"validation_knn"}),
    "table_ema_small": ("model.target.start=0.5,1.0", {"knn"}),
    "table_imbalance_small": ("ssl/small=vicreg,swav", {"knn"}),
    "figure_rank_small": ("ssl/small=simclr,vicreg", {"spearman_rank_me_h", "spearman_lidar_h", "lost_rank_me_h"}),
}


@pytest.mark.parametrize("name", SWEPT)
def test_a_comparison_has_a_row_for_each_of_its_changes(launch: Launcher, name: str) -> None:
    (rows, measured), brief = SWEPT[name], ["trainer.max_epochs=3", "seed=0", "hydra/launcher=basic"]
    run = launch("-m", f"experiment=ssl/{name}", *FAKE, *brief, *rows.split())
    assert run.returncode == 0, run.stdout + run.stderr
    table = pd.read_csv(next(launch.outputs.rglob("report.csv")))
    assert table["method"].nunique() == 2
    assert measured <= set(table["metric"])
    if name == "figure_rank_small":
        run = launch("experiment=ssl/rank_across_small")
        assert run.returncode == 0, run.stdout + run.stderr
        across = pd.read_parquet(next(launch.outputs.glob("ssl/rank_across_small/*/results.parquet")))
        assert {"judged_checkpoints", "spearman_rank_me_h_across", "gain_rank_me_h_within"} <= set(across["metric"])
        assert across.loc[across["metric"] == "judged_checkpoints", "value"].tolist() == [6]


@pytest.mark.slow
def test_a_search_without_labels_trains_all_and_keeps_one(launch: Launcher) -> None:
    run = launch("experiment=ssl/auto_small", *FAKE, "task.epochs=2")
    assert run.returncode == 0, run.stdout + run.stderr
    results = pd.read_parquet(next(launch.outputs.rglob("results.parquet"))).set_index(["method", "metric"])["value"]
    assert results[:, "epochs"].min() == 1 and results[:, "chosen"].sum() == 1
    (choice,) = launch.outputs.rglob("choice.json")
    assert results[json.loads(choice.read_text())["recipe"], "chosen"] == 1


@pytest.mark.slow
def test_every_recipe_of_laptop_size_trains_an_epoch(launch: Launcher) -> None:
    recipes = names(CONF, "ssl/small")
    brief = ["task/protocols=none", "trainer.max_epochs=1", "seed=0", "hydra/launcher=basic"]
    images = [*FAKE, "data.batch_size=128", "data.source.train_per_class=101"]  # 80 of each class are labelled for PAWS
    chosen = f"ssl/small={','.join(recipes)}"
    run = launch("-m", "experiment=ssl/table_recipes_small", *images, *brief, chosen, timeout=590)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "failed" not in run.stdout
    (report,) = launch.outputs.rglob("report.csv")
    assert pd.read_csv(report)["method"].nunique() == len(recipes)
