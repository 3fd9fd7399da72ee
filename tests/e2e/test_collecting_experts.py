"""Collecting expert records from the command line: copies, ranks, and a kill."""

from __future__ import annotations

import os
import signal
import time

import pandas as pd
import pytest

from tests.e2e.conftest import Launcher

SMALL = [
    "experiment=cl_lns/collect_small",
    "hydra.mode=RUN",
    "data=ilp_expert/sc_small",
    "data.train.count=2",
    "data.train.generator={columns:120,rows:80}",
    "data.collector.size=5",
    "data.collector.steps=3",
]


def _cache(launch: Launcher) -> dict[str, str]:
    return {"REPRISE_CACHE": str(launch.outputs / "cache")}


def _measured(launch: Launcher) -> pd.DataFrame:
    """One row per run and instance, a column per number that does not depend on the clock."""
    frames = [pd.read_parquet(folder / "results.parquet") for folder in launch.folders()]
    table = pd.concat(frames).pivot_table(index=["method", "instance"], columns="metric", values="value")
    return table[["states", "positives", "negatives", "states_without_negatives"]]


def test_copies_and_ranks_of_the_command_report_the_same_records_made_once(launch: Launcher) -> None:
    copies = [launch.start(*SMALL, f"collect.copy={copy}", **_cache(launch)) for copy in range(2)]
    outputs = [copy.communicate(timeout=250)[0] for copy in copies]
    assert [copy.returncode for copy in copies] == [0, 0], outputs
    records = list((launch.outputs / "cache" / "expert").glob("*/*.artifact"))
    assert sorted(path.name for path in records) == ["00000.artifact", "00001.artifact"]
    written = [path.stat().st_mtime_ns for path in records]
    ranks = launch(*SMALL, "collect.copy=2", "hardware=ddp_cpu", **_cache(launch))
    assert ranks.returncode == 0, ranks.stderr
    assert [path.stat().st_mtime_ns for path in records] == written, "what is there is not made again"
    table = _measured(launch)
    assert len(table) == 6
    assert (table["states"] > 0).all()
    by_copy = [part.droplevel("method") for _, part in table.groupby("method")]
    pd.testing.assert_frame_equal(by_copy[0], by_copy[1])
    pd.testing.assert_frame_equal(by_copy[0], by_copy[2])


@pytest.mark.slow
def test_a_killed_collection_goes_on_from_its_last_step(launch: Launcher, launch_fresh: Launcher) -> None:
    victim = launch_fresh.start(*SMALL, **_cache(launch))
    unfinished = launch.outputs / "cache" / "expert"
    deadline = time.monotonic() + 200
    while not list(unfinished.glob("*/*.steps.artifact")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    run = launch(*SMALL, **_cache(launch))
    assert run.returncode == 0, run.stderr
    killed = _measured(launch)
    assert not list(unfinished.glob("*/*.steps.artifact"))
    again = launch(*SMALL, "collect.copy=1", REPRISE_CACHE=str(launch.outputs / "other"))
    assert again.returncode == 0, again.stderr
    table = _measured(launch)
    pd.testing.assert_frame_equal(
        table.xs("copy 0"), table.xs("copy 1"), obj="an undisturbed collection has the same states and sets"
    )
    assert len(killed) == 2


def test_instances_that_teach_nothing_end_the_run_with_the_reason(launch: Launcher) -> None:
    run = launch(*SMALL, "data.collector.size=500", **_cache(launch))
    assert run.returncode == 2
    assert "collector.size is 500, but sc_small_train-000" in run.stderr + run.stdout
    assert "lower it" in run.stderr + run.stdout
