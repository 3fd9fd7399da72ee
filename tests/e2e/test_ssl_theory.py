"""The theory of self-supervised learning through the launcher, small."""

from __future__ import annotations

import pandas as pd
import pytest

from runs.claims.claim import load_claims
from tests.e2e.conftest import ROOT, Launcher

SGD = "task.sgd={learning_rate:0.02,steps:20,every:10,batch:32,replicas:2}"
BRIEF: dict[str, list[str]] = {
    "spectral": ["data.maker.nodes=48", "data.maker.inside=0.8", "task.samples=64", "task.drawn=1"],
    "collapse": [SGD, "task.drawn=1"],
    "direct": [SGD, "task.drawn=1", "solver=twins/byol,twins/direct"],
    "alpha": ["data.maker.batch=16", "task.drawn=1"],
}
METHODS = {
    "spectral": {"spectral"},
    "collapse": {"byol", "no_predictor", "no_stop_gradient"},
    "direct": {"byol", "direct"},
    "alpha": {"alpha"},
}


@pytest.mark.parametrize("name", ["spectral", "collapse", "alpha", pytest.param("direct", marks=pytest.mark.slow)])
def test_every_theory_leaves_what_its_claims_ask_for_and_a_figure(launch: Launcher, name: str) -> None:
    experiment = f"ssl/theory_{name}_small"
    run = launch("-m", f"experiment={experiment}", "hydra/launcher=basic", "data.count=2", *BRIEF[name])
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    assert set(results["method"]) == METHODS[name]
    assert results["value"].notna().all()
    claims = [claim for claim in load_claims("ssl") if claim.experiment == experiment]
    assert claims
    for claim in claims:
        assert (results["metric"][results["method"] == claim.ours] == claim.metric).sum() == 2
    for folder in launch.folders():
        assert len(list((folder / "figures").glob("*_0.png"))) == 1


@pytest.mark.parametrize("name", BRIEF)
@pytest.mark.parametrize("size", ["", "_small"])
def test_every_theory_names_its_command(name: str, size: str) -> None:
    lines = (ROOT / "conf" / "experiment" / "ssl" / f"theory_{name}{size}.yaml").read_text().splitlines()
    assert lines[1] == f"# python launch.py experiment=ssl/theory_{name}{size}"


def test_a_start_that_is_none_ends_in_one_line_that_names_it(launch: Launcher) -> None:
    run = launch(
        "-m", "experiment=ssl/theory_collapse_small", "hydra/launcher=basic", "data.maker.correlation=[0.0,1.0]"
    )
    assert run.returncode != 0
    assert "data.maker.correlation is [0.0, 1.0]" in " ".join((run.stdout + run.stderr).split())
    assert "Traceback" not in run.stdout + run.stderr
