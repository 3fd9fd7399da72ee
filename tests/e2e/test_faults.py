"""The record is right whatever the disk does: fail the n-th write, rename or fsync of a run, for n = 1, 2, ..."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import launch
from runs.files import read_json
from runs.launch import command, reporting
from runs.record.run_record import RunStatus, finished_whole, status
from tests.e2e.conftest import HERE

ARGUMENTS = [
    "--config-dir",
    str(HERE / "conf"),
    "experiment=lb_relax/one",
    "data=ilp/ca_demo",
    "data.generator.items=12",
    "data.generator.bids=20",
    "data.neighborhood_size=5",
    "solver=lns/random",
    "task.budget={seconds:null,evaluations:2}",
    "task.checkpoint_seconds=0",
]


class Disk:
    """Counts the writes below a folder and refuses one of them."""

    def __init__(self, refuse: int) -> None:
        self.refuse = refuse
        self.count = 0

    def hit(self) -> None:
        self.count += 1
        if self.count == self.refuse:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REPRISE_OUTPUTS", str(tmp_path / "outputs"))
    yield tmp_path / "outputs"


def run(disk: Disk | None, monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patch:
        if disk is not None:
            for name in ("write", "replace", "fsync"):
                real = getattr(os, name)

                def refusing(*arguments: Any, real: Any = real, **options: Any) -> Any:
                    disk.hit()
                    return real(*arguments, **options)

                patch.setattr(os, name, refusing)
        patch.setattr(sys, "argv", ["launch.py", *ARGUMENTS])
        # a report is made anew from the record at any time, so its own writes are not the record's
        patch.setattr(reporting, "report", lambda folder: 0)
        return command.main(launch.job, ARGUMENTS)


def results(folder: Path) -> pd.DataFrame:
    table = pd.read_parquet(folder / "results.parquet")
    return table[~table["metric"].str.contains("second")].reset_index(drop=True)  # times differ


def traces(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "traces.parquet").drop(columns="seconds")


def the_run(outputs: Path) -> Path:
    (folder,) = {path.parent for path in outputs.rglob("owner.lock")}
    return folder


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)  # some forty starts of the launcher
def test_a_run_whose_disk_fails_at_any_moment_ends_as_an_undisturbed_one_when_started_again(
    outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], every: int
) -> None:
    assert run(None, monkeypatch) == 0
    expected, expected_traces = results(the_run(outputs)), traces(the_run(outputs))
    for n in itertools.count(1, every):
        for path in sorted(outputs.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        disk = Disk(n)
        code = run(disk, monkeypatch)
        if disk.count < n:
            break
        folder = the_run(outputs)
        if code == 0:  # what was refused was not the record's: a directory's fsync, the log, the report
            assert status(folder) == RunStatus.FINISHED
        assert code in (0, 1), capsys.readouterr()
        if status(folder) == RunStatus.FINISHED:
            assert read_json(folder / "metrics.json")["metrics"]["feasible"] == 1
        assert run(None, monkeypatch) == 0
        assert status(folder) == RunStatus.FINISHED
        pd.testing.assert_frame_equal(results(folder), expected)
        pd.testing.assert_frame_equal(traces(folder), expected_traces)
        assert not list(outputs.rglob("*.part"))
    assert n > 20


@pytest.mark.parametrize("name", ["results.parquet", "environment.json"])
def test_what_was_truncated_since_is_written_again_by_the_same_command(
    name: str, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(None, monkeypatch) == 0
    folder = the_run(outputs)
    expected = results(folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    assert not finished_whole(folder)
    assert run(None, monkeypatch) == 0
    assert finished_whole(folder)
    pd.testing.assert_frame_equal(results(folder), expected)
