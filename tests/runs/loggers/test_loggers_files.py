"""TensorBoard and trackio: what was reported is read back from their files."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from runs.loggers.local import RunInfo
from runs.loggers.log import build

CURVE = pd.DataFrame({"seconds": [0.0, 1.5, 2.0], "objective": [np.nan, 4.0, 3.0], "method": ["lns"] * 3})


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


def _reported(tmp_path: Path, name: str) -> RunInfo:
    run = RunInfo(tmp_path / "run", {"task": {"size": 3}}, "table_2", "lns-seed0", "abc123")
    node = {"_target_": f"runs.loggers.{name}.{name.capitalize()}Dashboard"}
    with build({name: node}, run) as log:
        for step in range(3):
            log.log_scalars({"loss": float(step)}, 10 * step)
        log.log_curves("anytime", CURVE, series="method")
        log.log_curves("by_evaluation", pd.DataFrame({"evaluations": [1, 7], "objective": [2.0, 1.0]}), x="evaluations")
        log.log_table("results", pd.DataFrame({"instance": ["a"], "gap": [0.5]}))
        matplotlib.image.imsave(run.folder / "gap.png", np.zeros((4, 6, 3)))
        log.log_figure("gap", run.folder / "gap.png")
        log.log_scalars({"test/gap": 0.375})
    return run


def test_tensorboard_files_hold_scalars_curves_tables_figures_and_config(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = _reported(tmp_path, "tensorboard")
    assert not caplog.records
    events = accumulator.EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()

    def series(tag: str) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in events.Scalars(tag)]

    def text(tag: str) -> str:
        (event,) = events.Tensors(f"{tag}")
        return str(event.tensor_proto.string_val[0].decode())

    assert series("loss") == [(0, 0.0), (10, 1.0), (20, 2.0)]
    assert series("curves/anytime/lns (seconds / 1000)") == [(1500, 4.0), (2000, 3.0)]
    assert series("curves/by_evaluation/objective (evaluations)") == [(1, 2.0), (7, 1.0)]
    assert series("final/test/gap") == [(0, 0.375)]
    assert "| a | 0.5 |" in text("tables/results")
    assert "size: 3" in text("config") and "abc123" in text("config") and "table_2" in text("config")
    (image,) = events.Images("figures/gap")
    assert (image.width, image.height) == (6, 4)
    assert image.encoded_image_string == (run.folder / "gap.png").read_bytes()


def test_trackio_database_holds_scalars_curves_tables_figures_and_config(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("trackio", reason="needs the extra 'tracking'")
    _reported(tmp_path, "trackio")
    assert not caplog.records
    with sqlite3.connect(tmp_path / "trackio" / "reprise.db") as database:
        rows = [
            (step, json.loads(text)) for step, text in database.execute("SELECT step, metrics FROM metrics ORDER BY id")
        ]
        ((name, config_text),) = database.execute("SELECT run_name, config FROM configs")
    config = json.loads(config_text)
    assert (name, config["_Group"], config["task"], config["revision"]) == (
        "lns-seed0",
        "table_2",
        {"size": 3},
        "abc123",
    )

    def values(key: str) -> list[Any]:
        return [row[key] for _, row in rows if key in row]

    assert [(step, row["loss"]) for step, row in rows if "loss" in row] == [(0, 0.0), (10, 1.0), (20, 2.0)]
    assert values("curves/anytime/lns") == [4.0, 3.0] and values("curves/anytime/seconds") == [1.5, 2.0]
    assert values("tables/results")[0]["_value"] == [{"instance": "a", "gap": 0.5}]
    assert values("final/test/gap") == [0.375]
    (figure,) = values("figures/gap")
    assert matplotlib.image.imread(tmp_path / "trackio" / "media" / figure["file_path"]).shape[:2] == (4, 6)
