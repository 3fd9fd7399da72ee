"""Self-supervised training on tables through the launcher, small."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.e2e.conftest import Launcher

pytest.importorskip("sklearn")


def test_every_row_of_the_comparison_is_judged_on_a_table(launch: Launcher) -> None:
    run = launch(
        "-m", "experiment=ssl/tabular_small", "hydra/launcher=basic", "data=tabular/wine", "ssl/tables=untrained,vicreg,mae",
        "seed=0", "+trainer.max_steps=4",
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (path for path in launch.outputs.rglob("results.parquet") if (path.parent / "sweep.json").exists())
    results = pd.read_parquet(path)
    assert set(results["method"]) == {"untrained", "vicreg", "mae"}
    judged = results[results["metric"].isin(["knn", "linear"])]
    assert len(judged) == 6
    assert judged["value"].between(20, 100).all()
    assert set(results["instance"]) == {"wine/test"}


def test_the_supervised_row_has_as_many_outputs_as_the_table_has_classes(launch: Launcher) -> None:
    run = launch(
        "experiment=ssl/tabular_small", "ssl/tables=supervised", "data=tabular/wine", "--cfg", "job", "--resolve"
    )
    assert run.returncode == 0, run.stderr
    assert "method: supervised" in run.stdout
    assert "classes: 3" in run.stdout
