"""RL-LNS through the launcher: rollouts, training, search; the same on two processes; killed and continued."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
BRIEF = [
    "experiment=cl_lns/rl_ca_small",
    "data.train.generator={items:20,bids:40}",
    "data.test.generator={items:30,bids:60}",
    "data.test.count=2",
    "data.train.count=8",
    "task.budget={seconds:null,evaluations:5}",
    "model.width=8",
    "lns.rollouts.steps=4",
    "lns.rollouts.seconds=null",
    "callbacks.keep_last.every_seconds=0",
    "task.cache=null",
]


def bounds(launch: Launcher) -> dict[str, float]:
    (folder,) = launch.folders()
    results = pd.read_parquet(folder / "results.parquet")
    rows = results[results["metric"] == "primal_bound"]
    return dict(zip(rows["instance"], rows["value"], strict=True))


def policy(launch: Launcher) -> dict[str, torch.Tensor]:
    (path,) = launch.outputs.rglob("last.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    return {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    run = launch(*BRIEF)
    assert run.returncode == 0, run.stdout + run.stderr
    return launch


def test_the_whole_method_runs_and_is_then_finished(undisturbed: Launcher) -> None:
    assert set(bounds(undisturbed)) == {"ca_small/ca_small-0000", "ca_small/ca_small-0001"}
    (folder,) = undisturbed.folders()
    written = (folder / "metrics.json").stat().st_mtime_ns
    assert undisturbed(*BRIEF).returncode == 0
    assert (folder / "metrics.json").stat().st_mtime_ns == written


@pytest.mark.slow
def test_two_processes_give_the_same_policy_and_the_same_results(undisturbed: Launcher, launch: Launcher) -> None:
    run = launch(*BRIEF, "hardware=ddp_cpu")
    assert run.returncode == 0, run.stdout + run.stderr
    for key, value in policy(undisturbed).items():
        torch.testing.assert_close(policy(launch)[key], value, rtol=1e-4, atol=1e-5)
    assert bounds(launch) == pytest.approx(bounds(undisturbed))


@pytest.mark.slow
def test_a_training_killed_midway_ends_as_an_undisturbed_one(
    undisturbed: Launcher, launch: Launcher, launch_fresh: Launcher
) -> None:
    process = launch_fresh.start(*BRIEF)
    while process.poll() is None and not list(launch.outputs.rglob("last.ckpt")):
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    run = launch(*BRIEF)
    assert run.returncode == 0, run.stdout + run.stderr
    ours, theirs = policy(launch), policy(undisturbed)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert bounds(launch) == bounds(undisturbed)


def test_the_policy_searches_other_instances(undisturbed: Launcher, launch: Launcher) -> None:
    (folder,) = undisturbed.folders()
    run = launch(
        "experiment=lb_relax/one",
        "solver=lns/scored",
        "solver.destroy.select=bernoulli",
        f"solver.destroy.scorer={{_target_:solvers.lns.scorers.trained.trained_actor,run:'{Path(folder)}'}}",
        "data=ilp/sc_demo",
        "data.count=1",
        "task.budget={seconds:null,evaluations:3}",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert list(bounds(launch)) == ["sc_demo/sc_demo-0000"]


def test_a_folder_without_such_a_policy_is_one_line(launch: Launcher, tmp_path: Path) -> None:
    run = launch(
        "experiment=lb_relax/one",
        "solver=lns/scored",
        f"solver.destroy.scorer={{_target_:solvers.lns.scorers.trained.trained_actor,run:'{tmp_path}'}}",
    )
    assert run.returncode == 2
    assert "give the folder of a finished run of RL-LNS" in run.stderr
    assert "Traceback" not in run.stderr
