"""Sweeps outlive their jobs."""

from __future__ import annotations

import collections
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from runs.record.run_folder import load_run
from tests.e2e.conftest import Launcher


def misbehaving(journal: Path, *more: str) -> list[str]:
    return ["-m", "experiment=toy/misbehaving", f"task.journal='{journal}'", *more]


def header(path: Path) -> str:
    return path.read_text().splitlines()[0]


def executions(journal: Path) -> collections.Counter[str]:
    return collections.Counter(journal.read_text().split("\n")[:-1])


@pytest.mark.parametrize("launcher", ["joblib", pytest.param("basic", marks=pytest.mark.slow)])
def test_the_other_jobs_finish_the_report_names_the_dead_and_the_same_command_redoes_only_them(
    launch: Launcher, tmp_path: Path, launcher: str
) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "task.manner=ok,raise,exit,kill,fine", f"hydra/launcher={launcher}")
    first = launch(*arguments)
    assert first.returncode == 1, first.stdout + first.stderr
    report = next(launch.outputs.rglob("report.html")).read_text()
    for cause in ("this job raises on purpose", "SystemExit: 3", "killed"):
        assert cause in first.stdout
        assert cause in report
    assert executions(journal) == {f"{manner} 0": 1 for manner in ("ok", "raise", "exit", "kill", "fine")}
    assert len(launch.metrics()) == 2

    second = launch(*arguments)
    assert second.returncode == 1
    again = executions(journal)
    assert again["ok 0"] == again["fine 0"] == 1
    assert again["raise 0"] == again["exit 0"] == again["kill 0"] == 2


def test_a_killed_launcher_goes_on_with_what_is_missing(
    launch: Launcher, launch_fresh: Launcher, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "seed=range(0,4)", "task.seconds=0.5")
    process = launch_fresh.start(*arguments)
    while len(launch.metrics()) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finished = set(launch.metrics())
    run = launch(*arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(launch.metrics()) == 4
    counted = executions(journal)
    assert all(counted[f"ok {name.split('seed')[1][0]}"] == 1 for name in finished)


def test_two_identical_sweeps_at_once_do_each_job_once(launch_fresh: Launcher, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "seed=1,2,3", "task.seconds=0.3")
    both = [launch_fresh.start(*arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert executions(journal) == {"ok 1": 1, "ok 2": 1, "ok 3": 1}


def test_an_interrupt_stops_the_sweep_with_its_exit_code(launch_fresh: Launcher, tmp_path: Path) -> None:
    process = launch_fresh.start(*misbehaving(tmp_path / "journal", "task.seconds=60"))
    while not (tmp_path / "journal").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=90)[0]
    assert process.returncode == 130
    assert "the same command goes on" in output
    assert not launch_fresh.metrics()


def test_the_same_command_returns_the_finished_result_and_force_redoes_it(launch: Launcher, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    arguments = ["experiment=toy/misbehaving", f"task.journal='{journal}'"]
    assert launch(*arguments).returncode == 0
    assert launch(*arguments).returncode == 0
    assert executions(journal) == {"ok 0": 1}
    assert launch(*arguments, "force=true").returncode == 0
    assert executions(journal) == {"ok 0": 2}


def test_a_finished_sweep_is_told_again_without_its_launcher_until_something_is_missing(
    launch: Launcher, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "seed=1,2")
    first = launch(*arguments)
    log = next(launch.outputs.rglob("launcher.log"))
    log.unlink()
    again = launch(*arguments)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    assert not log.exists()
    (launch.folders()[0] / "metrics.json").unlink()
    assert launch(*arguments).returncode == 0
    assert log.exists() and sum(executions(journal).values()) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda words: [words[0], *reversed(words[1:])],
        lambda words: [*words, "logger=tensorboard", "debug=true"],
        lambda words: [*words, "hydra/launcher=joblib", "report.at_seconds=5"],
    ],
    ids=["another order", "another logger", "another launcher and report"],
)
def test_the_same_sweep_in_other_words_finds_its_runs(launch: Launcher, tmp_path: Path, change: Any) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "seed=1,2", "+text='of ${seed}'")
    for words in (arguments, change(arguments)):
        run = launch(*words)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "never began" not in run.stderr
    assert executions(journal) == {"ok 1": 1, "ok 2": 1}
    assert len(list(launch.outputs.rglob("report.html"))) == 1
    overrides = json.loads((launch.folders()[0] / "environment.json").read_text())["overrides"]
    assert "+text='of ${seed}'" in overrides


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_only_the_missing_job_is_launched(launch: Launcher, tmp_path: Path, launcher: str) -> None:
    journal = tmp_path / "journal"
    arguments = misbehaving(journal, "seed=range(0,6)", f"hydra/launcher={launcher}")
    assert launch(*arguments).returncode == 0
    log = next(launch.outputs.rglob("launcher.log"))
    log.unlink()
    (launch.folders()[3] / "metrics.json").unlink()
    assert launch(*arguments).returncode == 0
    assert "1 jobs" in log.read_text() and "seed=0" not in log.read_text()
    assert executions(journal)["ok 3"] == 2 and executions(journal).total() == 7


def test_a_job_that_cannot_be_composed_costs_no_other(launch: Launcher, tmp_path: Path) -> None:
    arguments = misbehaving(tmp_path / "journal", "method=a,'${absent}',b", "hydra/launcher=joblib")
    run = launch(*arguments)
    assert run.returncode == 1
    assert "ConfigError: Interpolation key 'absent' not found" in run.stdout
    assert len(launch.metrics()) == 2


def test_several_experiments_are_swept_with_the_settings_they_share(launch: Launcher, tmp_path: Path) -> None:
    arguments = misbehaving(tmp_path / "journal", "task.seconds=0")
    arguments[1] = "experiment=toy/misbehaving,toy/collecting"
    run = launch(*arguments, "seed=1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert sorted(launch.metrics()) == sorted(run.name for run in launch.folders())
    assert len(launch.metrics()) == 2


def test_a_report_is_made_anew_with_other_settings_of_the_same_runs(launch: Launcher) -> None:
    search = ["experiment=lb_relax/one", "data=ilp/ca_demo", "data.count=1", "seed=01"]
    search += ["task.budget={seconds:null,evaluations:3}", "-m", "solver=lns/random,lns/rins"]
    for shown, there in (([], False), (["report.at_seconds=0.5"], True), ([], False)):
        run = launch(*search, *shown)
        assert run.returncode == 0, run.stdout + run.stderr
        assert ("_at_0.5_seconds" in next(launch.outputs.rglob("report.csv")).read_text()) is there
    assert [json.loads((path / "environment.json").read_text())["starts"] for path in launch.folders()] == [1, 1]


def test_the_report_of_a_run_is_made_anew_too(launch: Launcher, tmp_path: Path) -> None:
    arguments = ["experiment=toy/misbehaving", f"task.journal='{tmp_path / 'journal'}'"]
    moments = []
    for shown in ([], ["report.at_seconds=[2,3]"], []):
        assert launch(*arguments, *shown).returncode == 0
        (folder,) = launch.folders()
        moments.append(load_run(folder).moments)
    assert moments == [[], [2.0, 3.0], []]
    assert executions(tmp_path / "journal").total() == 1


def test_a_score_that_no_run_measures_is_doubted_first_and_costs_no_run(launch: Launcher) -> None:
    search = ["experiment=lb_relax/one", "data=ilp/ca_demo", "data.count=1", "solver=lns/random"]
    search += ["task.budget={seconds:null,evaluations:3}"]
    wrong = launch(*search, "score=primal_bond")
    assert wrong.returncode == 2
    first, last = wrong.stderr.splitlines()[0], wrong.stderr.splitlines()[-1]
    assert first.startswith("score=primal_bond: lb_relax declares no such metric; did you mean 'primal_bound'?")
    assert last.startswith("error: score=primal_bond: this run measures no such metric, only ") and "is kept" in last
    for words in ([*search, "score=primal_bound"], [*search, "-m", "score=primal_bound"]):
        right = launch(*words)
        assert right.returncode == 0 and "score" not in right.stderr, right.stderr
    about = [json.loads((path / "environment.json").read_text())["starts"] for path in launch.folders()]
    assert about == [1, 1] and len({path.name for path in launch.folders()}) == 1, "one run, alone and in a sweep"


def test_a_sweep_leaves_the_files_of_the_report_contract(launch: Launcher, tmp_path: Path) -> None:
    assert launch(*misbehaving(tmp_path / "journal", "seed=1,2,3")).returncode == 0
    folder = next(launch.outputs.rglob("sweep.json")).parent
    assert (
        header(folder / "report.csv")
        == "paper,experiment,method,metric,mean,ci_low,ci_high,n,published,published_source,unit"
    )
    assert header(folder / "claims.csv") == "paper,claim,status,effect,ci_low,ci_high,p_value,n,experiment"
    results = pd.read_parquet(folder / "results.parquet")
    assert ",".join(results.columns) == "paper,experiment,method,instance,seed,metric,value"
    assert sorted(results[results.metric == "answer"].value) == [43, 44, 45]
    run = launch.folders()[0]
    about = json.loads((run / "environment.json").read_text())
    assert {"revision", "packages", "hardware", "command", "python"} <= set(about)
    assert (run / "config.yaml").exists()
