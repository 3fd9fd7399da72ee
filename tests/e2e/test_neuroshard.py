"""Every experiment of NeuroShard composes; every one of laptop size runs."""

from __future__ import annotations

import pandas as pd
import pytest

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher

ALL = {choice.name: choice for choice in choices(CONF, "experiment/neuroshard")}
BRIEF = {
    "table_main_small": ["sharding/method=dim,on_oracle", "data.count=1", "data.pool.count=60"],
}  # fmt: skip
"""What makes an experiment of laptop size brief."""
SHOWN = {"table_main_small": "feasible"}
"""A metric that it must have."""
NEEDS: dict[str, list[str]] = {}
"""What an experiment cannot be composed without."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(launch: Launcher, name: str) -> None:
    assert is_told(ALL[name])
    run = launch(f"experiment=neuroshard/{name}", *NEEDS.get(name, []), "--cfg", "job", "--resolve")
    assert run.returncode == 0, run.stderr
    assert "_target_: tasks." in run.stdout


@pytest.mark.parametrize("name", sorted({name for name in ALL if name.endswith("_small")} | BRIEF.keys()))
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    run = launch("-m", f"experiment=neuroshard/{name}", "hydra/launcher=basic", "seed=0", *BRIEF[name])
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    assert results.loc[results["metric"] == SHOWN[name], "value"].notna().all()
    assert SHOWN[name] in set(results["metric"])
    assert (path.parent / "report.html").exists()
