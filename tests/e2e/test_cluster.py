"""Every launcher for real: `make cluster-test`. SLURM runs where REPRISE_SLURM_START names a script that starts one.

The script understands ``install``, ``start``, ``env`` (prints the exports that make sbatch find the cluster) and ``stop``.
"""

from __future__ import annotations

import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Launcher

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

LEARNING = ["experiment=toy/learning", "callbacks.keep_last.every_seconds=1"]


@dataclass(frozen=True)
class Cluster:
    """A launcher, and the environment in which it finds its machines."""

    name: str
    environment: dict[str, str]

    def arguments(self, *more: str) -> list[str]:
        return ["-m", f"hydra/launcher={self.name}", *more]

    def run(self, *command: str) -> str:
        environment = os.environ | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def _free_ports() -> int:
    """A port whose successor is free too."""
    while True:
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    script = os.environ.get("REPRISE_SLURM_START")
    if not script:
        pytest.skip("REPRISE_SLURM_START names no script that starts a SLURM cluster")
    if os.geteuid() != 0:
        pytest.skip("starting SLURM's daemons needs root")
    settings = {"REPRISE_SLURM_DIR": str(tmp_path_factory.mktemp("slurm")), "REPRISE_SLURM_PORT": str(_free_ports())}

    def do(verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", script, verb],
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=500,
            check=False,
        )

    if not shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") and do("install").returncode != 0:
        pytest.skip("SLURM is not installed, and its packages could not be installed here")
    started = do("start")
    assert started.returncode == 0, started.stdout
    exports = dict(line.removeprefix("export ").split("=", 1) for line in do("env").stdout.splitlines())
    exports["PATH"] = exports["PATH"].replace("$PATH", os.environ["PATH"])
    yield Cluster("submitit_slurm", exports)
    do("stop")


@pytest.fixture(params=["submitit_local", "ray", "submitit_slurm"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    if request.param == "submitit_slurm":
        return request.getfixturevalue("slurm")
    return Cluster(request.param, {})


@pytest.fixture
def launch(launch_fresh: Launcher) -> Launcher:
    return launch_fresh


def misbehaving(cluster: Cluster, journal: Path, *more: str) -> list[str]:
    return cluster.arguments("experiment=toy/misbehaving", f"task.journal='{journal}'", *more)


def executions(journal: Path) -> collections.Counter[str]:
    return collections.Counter(journal.read_text().split("\n")[:-1])


def until(condition: Callable[[], bool], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def left_running(outputs: Path) -> list[str]:
    """Command lines of living processes that were started for these outputs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("REPRISE_OUTPUTS") == str(outputs) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def starts(launch: Launcher) -> list[int]:
    return [json.loads((run / "environment.json").read_text())["starts"] for run in launch.folders()]


def test_the_other_jobs_finish_and_the_report_names_the_dead(
    launch: Launcher, tmp_path: Path, cluster: Cluster
) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(cluster, journal, "task.manner=kill,ok,raise,exit,fine", "task.seconds=1")
    first = launch(*arguments, **cluster.environment)
    assert first.returncode == 1, first.stdout + first.stderr
    report = next(launch.outputs.rglob("report.html")).read_text()
    for cause in ("this job raises on purpose", "SystemExit: 3", "killed by SIGKILL"):
        assert cause in first.stdout
        assert cause in report
    assert executions(journal) == {f"{manner} 0": 1 for manner in ("ok", "raise", "exit", "kill", "fine")}
    assert len(launch.metrics()) == 2

    second = launch(*arguments, **cluster.environment)
    assert second.returncode == 1, second.stdout + second.stderr
    assert executions(journal) == {"ok 0": 1, "fine 0": 1, "raise 0": 2, "exit 0": 2, "kill 0": 2}
    assert left_running(launch.outputs) == []


def test_after_the_launcher_is_killed_the_same_command_does_what_is_missing(
    launch: Launcher, tmp_path: Path, cluster: Cluster
) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(cluster, journal, "seed=range(0,4)", "task.seconds=3")
    process = launch.start(*arguments, **cluster.environment)
    until(lambda: bool(launch.metrics()) or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    output = process.communicate()[0]
    finished = set(launch.metrics())
    assert finished, output
    run = launch(*arguments, **cluster.environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(launch.metrics()) == 4
    counted = executions(journal)
    assert all(counted[f"ok {name.split('seed')[1][0]}"] == 1 for name in finished)
    until(lambda: left_running(launch.outputs) == [], 60)


def test_a_ray_cluster_of_this_command_listens_on_loopback_alone(launch: Launcher, tmp_path: Path) -> None:
    process = launch.start(*misbehaving(Cluster("ray", {}), tmp_path / "journal", "task.seconds=5"))
    until(lambda: (tmp_path / "journal").exists() or process.poll() is not None)
    started = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    ours = {found.pid for found in started}
    listening = [found for found in psutil.net_connections("inet") if found.status == "LISTEN" and found.pid in ours]
    assert listening
    assert {found.laddr.ip.removeprefix("::ffff:") for found in listening} <= {"127.0.0.1", "::1"}
    assert process.communicate(timeout=100)[0] is not None and process.returncode == 0


def test_two_identical_sweeps_at_once_do_each_job_once(launch: Launcher, tmp_path: Path, cluster: Cluster) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(cluster, journal, "seed=1,2,3", "task.seconds=1")
    both = [launch.start(*arguments, **cluster.environment) for _ in range(2)]
    outputs = [process.communicate(timeout=400)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert executions(journal) == {"ok 1": 1, "ok 2": 1, "ok 3": 1}


def test_six_copies_of_a_collection_make_each_item_once(launch: Launcher, tmp_path: Path, cluster: Cluster) -> None:
    journal = tmp_path / "journal"
    arguments = cluster.arguments("experiment=toy/collecting", f"task.journal='{journal}'", "collect.copy=range(0,6)")
    run = launch(*arguments, **cluster.environment, REPRISE_CACHE=str(tmp_path / "cache"), timeout=400)
    assert run.returncode == 0, run.stdout + run.stderr
    assert executions(journal) == {str(item): 1 for item in range(30)}
    made = [metrics["made"] for metrics in launch.metrics().values()]
    assert len(made) == 6
    assert sum(made) == 30


def begin_training(launch: Launcher, slurm: Cluster, *more: str) -> tuple[subprocess.Popen[str], str]:
    """A sweep of one training; returns when it has left its first checkpoint, with the id of its SLURM job."""
    process = launch.start(*slurm.arguments(*LEARNING, "task.step_seconds=0.5", *more), **slurm.environment)
    until(lambda: any(launch.outputs.rglob("last.ckpt")) or process.poll() is not None)
    (job,) = slurm.run("squeue", "--noheader", "--format=%i").split()
    return process, job


def restart_at_once(slurm: Cluster, job: str) -> None:
    """SLURM keeps a requeued job back for two minutes."""
    until(lambda: "BeginTime" in slurm.run("squeue", "--noheader", "--job", job, "--format=%r"))
    slurm.run("scontrol", "update", f"JobId={job}", "StartTime=now")


def assert_trained_as_undisturbed(launch: Launcher, tmp_path: Path) -> None:
    undisturbed = Launcher(tmp_path / "undisturbed")
    assert undisturbed(*LEARNING).returncode == 0
    assert list(launch.metrics().values()) == list(undisturbed.metrics().values())


@pytest.mark.parametrize("cause", ["a more urgent job preempts it", "the operator requeues it"])
def test_a_preempted_training_continues_from_its_checkpoint(
    launch: Launcher, tmp_path: Path, slurm: Cluster, cause: str
) -> None:
    process, job = begin_training(launch, slurm)
    if cause == "the operator requeues it":
        slurm.run("scontrol", "requeue", job)
    else:
        slurm.run("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    restart_at_once(slurm, job)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    assert starts(launch) == [2]
    assert_trained_as_undisturbed(launch, tmp_path)


def test_a_requeued_search_continues_from_its_checkpoint(launch: Launcher, slurm: Cluster) -> None:
    search = ["experiment=lb_relax/ca_small", "data=ilp/ca_demo", "data.count=1", "solver=lns/random"]
    one_long_run = ["hydra.sweeper.params=null", "task.budget={seconds:25,evaluations:null}"]
    process = launch.start(*slurm.arguments(*search, *one_long_run), **slurm.environment)
    until(lambda: any(launch.outputs.rglob("*.state.npz")) or process.poll() is not None)
    (job,) = slurm.run("squeue", "--noheader", "--format=%i").split()
    time.sleep(5)
    slurm.run("scontrol", "requeue", job)
    restart_at_once(slurm, job)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    assert starts(launch) == [2]
    (metrics,) = launch.metrics().values()
    assert metrics["seconds"] <= 25 * 1.05 + 0.5, "both starts together stay within the budget"


def test_a_training_that_reaches_its_time_limit_is_requeued_and_continues(launch: Launcher, tmp_path: Path) -> None:
    limit = ["hydra.launcher.timeout_min=1", "task.step_seconds=1.2"]  # submitit warns 30 seconds before the limit
    run = launch("-m", "hydra/launcher=submitit_local", *LEARNING, *limit)
    assert run.returncode == 0, run.stdout + run.stderr
    assert starts(launch)[0] >= 2
    assert_trained_as_undisturbed(launch, tmp_path)


def test_a_cancelled_job_is_reported_and_the_others_finish(launch: Launcher, tmp_path: Path, slurm: Cluster) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(slurm, journal, "task.manner=slow,ok", "task.seconds=20")
    process = launch.start(*arguments, **slurm.environment)
    until(lambda: journal.exists() and "slow 0" in executions(journal))
    slurm.run("scancel", slurm.run("squeue", "--noheader", "--array", "--format=%i").split()[0])
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1, output
    assert "killed  slow" in output
    assert len(launch.metrics()) == 1


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_study_outlives_failed_trials_and_finds_its_finished_runs_again(
    launch: Launcher, tmp_path: Path, launcher: str
) -> None:
    journal = tmp_path / "journal"
    study = [
        "-m",
        "hydra/sweeper=optuna",
        f"hydra/launcher={launcher}",
        "hydra.sweeper.n_jobs=2",
        "experiment=toy/misbehaving",
        f"task.journal='{journal}'",
        "task.manner=ok,raise",
        "task.seconds=interval(0.01,0.1)",
        "score=answer",
    ]
    assert launch(*study, "hydra.sweeper.n_trials=4").returncode == 1
    first = executions(journal)
    assert set(first) == {"ok 0", "raise 0"}
    assert first.total() == 4
    assert launch(*study, "hydra.sweeper.n_trials=6").returncode == 1
    assert len(launch.folders()) == 6
    assert executions(journal)["ok 0"] == len(launch.metrics()), "no finished trial is run again"
    (best,) = launch.outputs.rglob("optimization_results.yaml")
    assert "best_value: 42.0" in best.read_text()
