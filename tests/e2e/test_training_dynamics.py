"""The synthetic experiments of Scan and Snap through the launcher: as sweeps, killed, and with bad settings."""

from __future__ import annotations

import signal

import pandas as pd
import pytest
import torch

from tests.e2e.conftest import ROOT, Launcher

NAMES = ("figure_4", "figure_6", "assumptions")
TINY = ["data.length=8", "data.batch_size=4", "data.steps=12", "data.replicas=2"]
RESUMABLE = [
    "experiment=scan_snap/figure_4",
    *TINY,
    "task.eta_z=[0.5,1]",
    "callbacks.keep_last.every_seconds=0",
    "+callbacks.kill._target_=toy_paper.killing.KillAtStep",
]
SWEEPS = {
    "figure_4_small": [],
    "figure_6_small": ["data.distribution.num_last=1,2", "hydra/launcher=basic"],
    "assumptions_small": ["model/text/broken=none,positions,query,residual,heads,adam", "hydra/launcher=basic"],
}


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_says_its_command_and_composes(launch: Launcher, name: str) -> None:
    first, second, third, *_ = (ROOT / "conf" / "experiment" / "scan_snap" / f"{name}.yaml").read_text().splitlines()
    assert (first, second) == ("# @package _global_", f"# python launch.py experiment=scan_snap/{name}")
    assert third.startswith("# ")
    run = launch(f"experiment=scan_snap/{name}", "--cfg", "job", "--resolve", REPRISE_DATA="nowhere")
    assert run.returncode == 0, run.stderr
    assert "_target_: tasks.text.training_dynamics" in run.stdout


@pytest.mark.parametrize("name", SWEEPS)
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    sweep = ["-m"] if SWEEPS[name] else []
    run = launch(*sweep, f"experiment=scan_snap/{name}", *TINY, "task.snapshots=[0,2]", *SWEEPS[name])
    assert run.returncode == 0, run.stdout + run.stderr
    (table,) = (folder for folder in launch.outputs.rglob("report.csv"))
    rows = pd.read_csv(table)
    assert set(rows["paper"]) == {"scan_snap"}
    assert rows.loc[rows["metric"].str.startswith("entropy"), "n"].min() >= 2, "a row per seed"
    assert len(list(launch.outputs.rglob("attention.png"))) == len(launch.folders())
    verdicts = pd.read_csv(table.with_name("claims.csv"))
    assert len(verdicts) and not verdicts["status"].str.contains("not run").any()
    if name == "figure_6_small":
        assert {"eta_z 0.5, ratio 1", "eta_z 3, ratio 10", "sgd"} <= set(rows["method"])
        assert (rows["published"].notna() & rows["metric"].eq("entropy/last_1")).sum() == 16


def test_training_killed_at_a_step_ends_bit_for_bit_as_the_undisturbed_one(
    launch: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = Launcher(tmp_path_factory.mktemp("undisturbed"))
    assert undisturbed(*RESUMABLE).returncode == 0
    assert launch(*RESUMABLE, TOY_KILL_STEP="7").returncode == -signal.SIGKILL
    assert not launch.metrics()
    assert launch(*RESUMABLE).returncode == 0
    ours, theirs = (torch.load(*one.outputs.rglob("last.ckpt"), weights_only=True) for one in (launch, undisturbed))
    assert ours["global_step"] == theirs["global_step"] == 12
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], tensor), name
    momenta = [state["optimizer_states"][0]["state"] for state in (ours, theirs)]
    assert all(torch.equal(momenta[0][i]["momentum_buffer"], momenta[1][i]["momentum_buffer"]) for i in momenta[1])
    assert list(launch.metrics().values()) == list(undisturbed.metrics().values())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.length=1", "data.length is 1; give at least 2"),
        ("data.distribution.num_unique_per_next=0", "num_unique_per_next of the synthetic sequences is 0"),
        ("model.heads=0", "heads of the one-layer transformer is 0"),
    ],
)
def test_a_setting_that_makes_no_experiment_is_refused_by_name(launch: Launcher, setting: str, message: str) -> None:
    run = launch("experiment=scan_snap/figure_4", setting)
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_several_processes_are_refused(launch: Launcher) -> None:
    run = launch("experiment=scan_snap/figure_4", *TINY, "hardware=ddp_cpu")
    assert run.returncode == 1
    assert "use hardware=cpu or hardware=gpu" in run.stderr + run.stdout
