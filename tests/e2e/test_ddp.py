"""Instances spread over two processes give the numbers of one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
SEARCH = [
    "experiment=lb_relax/one",
    "solver=lns/lb_relax_s",
    "data.generator.items=40",
    "data.generator.bids=80",
    "data.neighborhood_size=10",
    "task.budget.seconds=null",
    "task.budget.evaluations=10",
]


def is_clock(metric: str) -> bool:
    """True for seconds, rates per second and shares of the seconds."""
    return "second" in metric


def table(launch: Launcher) -> pd.DataFrame:
    (folder,) = launch.folders()
    frame = pd.read_parquet(folder / "results.parquet")
    return frame[~frame["metric"].map(is_clock)].reset_index(drop=True)


@pytest.mark.parametrize("count", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_two_processes_and_one_give_the_same_results_for_odd_numbers_of_instances(tmp_path: Path, count: int) -> None:
    one, two = Launcher(tmp_path / "one"), Launcher(tmp_path / "two", fresh=True)
    for launch, hardware in ((one, "cpu"), (two, "ddp_cpu")):
        run = launch(*SEARCH, f"data.count={count}", f"hardware={hardware}")
        assert run.returncode == 0, run.stdout + run.stderr
    assert table(one)["instance"].nunique() == count
    pd.testing.assert_frame_equal(table(one), table(two))
    ((_, alone),), ((_, spread),) = one.metrics().items(), two.metrics().items()
    assert set(spread) == set(alone)
    for metric, value in alone.items():
        if not is_clock(metric) and value is not None:
            assert spread[metric] == pytest.approx(value, rel=1e-6), metric
