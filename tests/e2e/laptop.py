"""What the tests of every paper ask of its experiments."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tests.composition import composed
from tests.e2e.conftest import Launcher


def composes(paper: str, name: str, needs: Sequence[str] = ()) -> None:
    """An experiment composes, and its task is one of ours."""
    assert composed(f"experiment={paper}/{name}", *needs).task._target_.startswith("tasks.")


def runs(launch: Launcher, paper: str, name: str, brief: Sequence[str], shown: str) -> None:
    """An experiment, made brief, runs to its report with a number of the metric ``shown`` for everything."""
    run = launch("-m", f"experiment={paper}/{name}", "hydra/launcher=basic", "seed=0", *brief)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    assert shown in set(results["metric"])
    assert results.loc[results["metric"] == shown, "value"].notna().all()
    assert (path.parent / "report.html").exists()
