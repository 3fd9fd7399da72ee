"""What the command line answers: help, configuration, mistakes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Launcher


def test_help_lists_experiments_by_paper_with_what_they_show(launch_fresh: Launcher) -> None:
    run = launch_fresh("--help")
    assert run.returncode == 0
    assert "lb_relax/demo" in run.stdout
    line = next(text for text in run.stdout.splitlines() if "lb_relax/mvc_small" in text)
    assert len(line.split()) > 3


@pytest.mark.parametrize("arguments", [["--help"], ["experiment=toy/learning", "--cfg", "job", "--resolve"]])
def test_looking_imports_nothing_heavy(launch: Launcher, arguments: list[str]) -> None:
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['launch.py', *{launch.command(*arguments)[2:]!r}]\n"
        "try:\n    runpy.run_path('launch.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'pytorch_lightning', 'torch_geometric', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=launch.environment(), check=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["experiment=lb_relax/mvc_smal"], "did you mean 'experiment/lb_relax/mvc_small'?"),
        (["experiment=toy/learning", "optimizer.momentm=1"], "did you mean 'optimizer.momentum'?"),
        (["hardwere=cpu"], "did you mean 'hardware'?"),
        (["hardware=gpo"], "did you mean 'hardware/gpu'?"),
        (["hydra/launcher=jobli"], "did you mean 'hydra/launcher/joblib'?"),
        (["experiment=lb_relax/one", "solver=lns/rinz"], "did you mean 'solver/lns/rins'?"),
        (["experiment=lb_relax/one", "lns.size.grwth=1.1"], "did you mean 'lns.size.growth'?"),
        (["experiment=toy/learning", "--cfg", "job", "sed=1"], "did you mean 'seed'?"),
        (["--colour"], "unknown option --colour"),
        (["seed=[1"], "seed=[1"),
        (["-m", "experiment=toy/learning", "seed=glob(*)"], "no jobs"),
        (["-m", "experiment=toy/learning", "hardware=cpu,gpo"], "did you mean 'hardware/gpu'?"),
        (["-m", "experiment=toy/learning,toy/misbehaving", "sed=1"], "did you mean 'seed'?"),
        (["experiment=toy/learning", "seed=-1"], "seed is -1; give a whole number"),
        (["-m", "experiment=toy/learning", "seed=1,abc"], "seed is 'abc'"),
        (["experiment=toy/learning", "report.at_seconds=[1,x]"], "report.at_seconds is [1, 'x']"),
        (["-m", "experiment=toy/learning", "report.at_seconds=-1"], "report.at_seconds is -1"),
        (["experiment=toy/learning", "paper=../.."], "paper is '../..', which would be a folder outside"),
        (["-m", "experiment=toy/learning", "experiment=/tmp"], "there is no"),
        (["experiment=toy/learning", "force=maybe"], "force is 'maybe'; give true or false"),
        (["--config-name", "other"], "--config-name does nothing here"),
        (["--config-path", "conf"], "--config-path does nothing here"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun does nothing here"),
        (["-m", "experiment=toy/learning", "hydra.sweep.dir=there"], "hydra.sweep.dir does nothing here"),
    ],
)
def test_a_typo_is_one_line_with_the_nearest_name(launch: Launcher, arguments: list[str], said: str) -> None:
    run = launch(*arguments)
    assert run.returncode == 2, run.stderr
    assert said in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert "Traceback" not in run.stdout + run.stderr


def test_debug_shows_the_traceback(launch: Launcher) -> None:
    run = launch("sed=2", "debug=true")
    assert run.returncode == 1
    assert "Traceback" in run.stderr


def test_hardware_that_is_not_there_is_one_line(launch: Launcher) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    run = launch("experiment=toy/learning", "hardware=gpu")
    assert run.returncode == 2
    assert "no usable CUDA GPU" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_leftover_settings_after_a_group_switch_name_the_remedy(launch: Launcher) -> None:
    run = launch("experiment=toy/learning", "+model.heads=8")
    assert run.returncode == 2
    assert "ToyNetwork has no setting 'heads'" in run.stderr
    assert "'~model.heads'" in run.stderr


def test_ddp_in_a_local_sweep_is_refused_before_it_starts(launch: Launcher) -> None:
    run = launch("-m", "experiment=toy/learning", "hardware=ddp", "seed=1,2")
    assert run.returncode == 2
    assert "submitit_slurm" in run.stderr


@pytest.mark.parametrize(
    ("sweep", "ending"), [("-m seed=0,1", "| head -1"), ("-m seed=0,1", ">&-"), ("", "2>&1 | true"), ("", ">/dev/full")]
)
def test_output_that_nobody_takes_costs_no_run(launch_fresh: Launcher, tmp_path: Path, sweep: str, ending: str) -> None:
    words = launch_fresh.command("experiment=toy/misbehaving", f"task.journal='{tmp_path / 'journal'}'", *sweep.split())
    line = f"set -o pipefail; {shlex.join(words)} {ending}"
    run = subprocess.run(["bash", "-c", line], env=launch_fresh.environment(), capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(launch_fresh.metrics()) == (2 if sweep else 1)


@pytest.mark.parametrize("sweep", [[], ["-m"], ["-m", "hydra/launcher=joblib"]])
def test_a_secret_of_the_environment_is_written_nowhere(launch: Launcher, tmp_path: Path, sweep: list[str]) -> None:
    arguments = [*sweep, "experiment=toy/misbehaving", f"task.journal='{tmp_path / 'journal'}'", "logger=tensorboard"]
    run = launch(*arguments, "+by=${oc.env:SOME_API_KEY}", "+plain=do-not-show-me", SOME_API_KEY="do-not-show-me")
    assert run.returncode == 0, run.stderr
    assert "do-not-show-me" not in run.stdout + run.stderr
    written = [path for path in launch.outputs.rglob("*") if path.is_file() and b"do-not-show-me" in path.read_bytes()]
    assert written == []
    config = (launch.folders()[0] / "config.yaml").read_text()
    assert "by: '***'" in config and "plain: '***'" in config


def test_of_a_sweeps_experiment_one_run_is_made_where_asked(launch: Launcher) -> None:
    reduced = [
        "data.count=1",
        "task.budget={seconds:null,evaluations:1}",
        "solver=lns/random",
        "data=ilp/ca_demo",
        "seed=3",
    ]
    run = launch("--run", "experiment=lb_relax/table_small", *reduced)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(launch.metrics()) == 1 and not list(launch.outputs.rglob("sweep.json"))
    again = launch("experiment=lb_relax/table_small", "hydra.mode=RUN", *reduced)
    assert again.returncode == 0 and len(launch.metrics()) == 1


@pytest.mark.parametrize("task", ["0", "1"])
def test_a_task_of_slurm_with_one_device_is_a_run_of_its_own(launch: Launcher, task: str) -> None:
    slurm = {"SLURM_NTASKS": "2", "SLURM_PROCID": task, "SLURM_LOCALID": task, "SLURM_NODEID": "0", "SLURM_JOB_ID": "7"}
    run = launch("experiment=toy/learning", f"seed={task}", **slurm, SLURM_JOB_NAME="job", SLURM_NTASKS_PER_NODE="2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(launch.metrics()) == 1 and list(launch.outputs.rglob("last.ckpt"))
    assert (launch.folders()[0] / "events.jsonl").read_text()
