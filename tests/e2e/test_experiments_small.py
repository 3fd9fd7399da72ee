"""Every experiment of LB-RELAX composes; every one of laptop size runs."""

from __future__ import annotations

import pandas as pd
import pytest

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
pytest.importorskip("pyscipopt")
ALL = {choice.name: choice for choice in choices(CONF, "experiment/lb_relax")}
SMALL = sorted({"demo", *(name for name in ALL if name.endswith("_small"))} - {"real_small"})
BRIEF = ["task.budget={seconds:null,evaluations:2}", "seed=0"]
ONE_BY_ONE = "hydra/launcher=basic"
SMOKE = {
    "demo": ["data=ilp/ca_demo", "solver=bnb,lns/random", "task.budget={seconds:1,evaluations:null}"],
    "table_small": ["data=ilp/mis_small", "solver=lns/random"],
    "table_time_small": ["data=ilp/sc_small", "solver=bnb", "task.budget={seconds:1,evaluations:null}"],
    "table_schedule_small": ["data=ilp/ca_demo", "lns/ablation=base,s_eps_0"],
    "figure_neighborhood_small": ["data=ilp/ca_demo", "solver=lns/lb_relax", "task.incumbents=1", "task.between=1"],
}  # fmt: skip
"""What makes an experiment brief where two iterations of one method on one instance are not its form."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(launch: Launcher, name: str) -> None:
    assert is_told(ALL[name])
    extra = ["data.path=x.mps"] if name == "files" else []
    run = launch(f"experiment=lb_relax/{name}", *extra, "--cfg", "job", "--resolve", REPRISE_DATA="nowhere")
    assert run.returncode == 0, run.stderr
    assert "_target_: tasks.ilp." in run.stdout


@pytest.mark.parametrize("name", SMALL)
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    sizes = SMOKE.get(name, ["solver=lns/lb_relax"])
    brief = BRIEF if not any("budget" in text or "incumbents" in text for text in sizes) else ["seed=0"]
    run = launch("-m", f"experiment=lb_relax/{name}", "data.count=1", ONE_BY_ONE, *dict.fromkeys([*sizes, *brief]))
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    wanted = "step_improvement" if name.startswith("figure_neighborhood") else "primal_bound"
    assert results.loc[results["metric"] == wanted, "value"].notna().all()
    assert wanted in set(results["metric"])
    assert (path.parent / "report.html").exists()
