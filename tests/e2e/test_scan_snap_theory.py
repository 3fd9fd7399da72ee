"""The theory of Scan and Snap through the launcher, small."""

from __future__ import annotations

import pandas as pd

from runs.claims.claim import load_claims
from tests.e2e.conftest import Launcher

BRIEF = [
    "-m",
    "experiment=scan_snap/theory_small",
    "hydra/launcher=basic",
    "data.grid={num_last:[2],num_next_per_last:[1],num_unique_per_next:[4],num_common:[1,3]}",
    "task.points=60",
    "task.horizon=20",
    "task.sweep=[1.0,10.0]",
    "task.learning_rates={eta_z:[1.0,2.0],ratios:[2.0,5.0],time:50}",
    "task.sgd.steps=20",
    "task.sgd.length=256",
    "task.sgd.replicas=2",
]


def test_both_dynamics_leave_every_metric_that_a_claim_names_and_their_figures(launch: Launcher) -> None:
    run = launch(*BRIEF)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    assert set(results["method"]) == {"gradient_flow", "self_attention"}
    assert results["value"].notna().all()
    wanted = {claim.metric for claim in load_claims("scan_snap") if claim.experiment == "scan_snap/theory_small"}
    assert len(wanted) > 10
    assert wanted <= set(results["metric"])
    exact = results[(results["metric"] == "relative_gain_error") & (results["method"] == "self_attention")]
    assert len(exact) == 2
    assert (exact["value"] < 1e-6).all()
    for folder in launch.folders():
        names = {path.stem.split("_")[0] for path in (folder / "figures").glob("*.png")}
        assert names == {"theorems", "sgd"}
        assert len(list((folder / "figures").glob("*.png"))) == 4


def test_an_unknown_setting_of_the_grid_ends_in_one_line_that_names_it(launch: Launcher) -> None:
    run = launch(*BRIEF, "solver=dynamics/gradient_flow", "+data.grid.num_lost=[1]")
    assert run.returncode == 2
    assert "data.grid.num_lost is not a setting" in " ".join((run.stdout + run.stderr).split())
    assert "Traceback" not in run.stdout + run.stderr
