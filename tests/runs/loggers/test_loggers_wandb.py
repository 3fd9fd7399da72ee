"""W&B: what it receives, online from a stand-in server and offline from its file; and a server that misbehaves."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import psutil
import pytest

from runs.loggers.local import RunInfo, read_scalars
from runs.loggers.log import RunLog, build

pytest.importorskip("wandb", reason="needs the extra 'tracking'")
HERE = Path(__file__).parent
NODE = {"wandb": {"_target_": "runs.loggers.wandb.WandbDashboard", "project": "replays"}}
KEY = "0123456789abcdef0123456789abcdef01234567"
CURVE = pd.DataFrame({"seconds": [0.0, 1.0, 2.0], "objective": [9.0, 4.0, 3.0], "method": ["lns", "lns", "lns"]})
TABLE = pd.DataFrame({"instance": ["a", "b"], "gap": [0.5, 0.25]})


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no settings and no cache of the user, and a port where nobody listens."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_SERVICE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "wandb_dir"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "home" / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "home" / "data"))
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{_free_port()}")
    (tmp_path / "wandb_dir").mkdir()
    monkeypatch.syspath_prepend(str(HERE))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Start a stand-in server that behaves as told, and point W&B to it."""
    from wandb_server import StandInServer

    started = []

    def start(mode: str) -> StandInServer:
        server = StandInServer(mode)
        started.append(server)
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        return server

    yield start
    for server in started:
        if not server.released.is_set():
            server.stop()


def _run(tmp_path: Path, name: str = "lns-seed0") -> RunInfo:
    return RunInfo(tmp_path / "sweep" / name, {"task": {"size": 3}, "seed": 0}, "table_2", name, "abc123")


def _report(log: RunLog, scale: float = 1.0) -> None:
    for step in range(4):
        log.log_scalars({"loss": scale * step}, 10 * step)
    log.log_curves("anytime", CURVE, series="method")
    log.log_table("results", TABLE)
    image = log.run.folder / "gap.png"
    matplotlib.image.imsave(image, np.zeros((4, 6, 3)))
    log.log_figure("gap", image)
    log.log_scalars({"test/gap": 0.375})


def _offline_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "wandb_dir").glob("wandb/offline-run-*/run-*.wandb"))


def _assert_complete_offline(path: Path) -> None:
    from wandb_file import read_wandb_file

    run = read_wandb_file(path)
    assert (run.group, run.name, run.project, run.exit_code) == ("table_2", "lns-seed0", "replays", 0)
    assert (run.config["task"], run.config["seed"], run.config["revision"]) == ({"size": 3}, 0, "abc123")
    scalars = [(row["step"], row["loss"]) for row in run.history if "loss" in row]
    assert scalars == [(0, 0), (10, 1), (20, 2), (30, 3)]
    assert run.summary["test/gap"] == 0.375
    media = path.parent / "files"
    (table,) = run.series("tables/results")
    stored = json.loads((media / table["path"]).read_text())
    assert stored["columns"] == ["instance", "gap"] and stored["data"] == [["a", 0.5], ["b", 0.25]]
    (curve,) = run.series("tables/curves/anytime")
    assert json.loads((media / curve["path"]).read_text())["data"] == CURVE.to_numpy().tolist()
    assert "curves/anytime" in run.config["_wandb"]["visualize"], "the curve is drawn, not only stored"
    (figure,) = run.series("figures/gap")
    assert (figure["width"], figure["height"]) == (6, 4)
    assert matplotlib.image.imread(media / figure["path"]).shape[:2] == (4, 6)


def _assert_record_is_whole(run: RunInfo) -> None:
    scalars = read_scalars(run.folder)
    assert scalars[scalars.name == "loss"].value.tolist() == [0, 1, 2, 3]
    assert scalars[scalars.name == "test/gap"].value.tolist() == [0.375]
    assert pd.read_parquet(run.folder / "tables/results.parquet").equals(TABLE)


def _assert_no_process_is_left() -> None:
    lines = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie, which another test has left
            lines.append(" ".join([child.name(), *child.cmdline()]))
    assert not [line for line in lines if "wandb" in line or "loggers.mirror" in line]


def test_without_a_network_the_run_is_whole_in_the_offline_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with build(NODE, _run(tmp_path)) as log:
        _report(log)
    (path,) = _offline_files(tmp_path)
    _assert_complete_offline(path)
    _assert_record_is_whole(log.run)
    (warning,) = caplog.records
    assert "cannot be reached (Connection refused)" in warning.getMessage()
    assert f"wandb sync {path.parent}" in warning.getMessage()
    _assert_no_process_is_left()


def test_without_a_key_the_run_is_offline_by_itself(
    tmp_path: Path, server: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in = server("works")
    monkeypatch.delenv("WANDB_API_KEY")
    with build(NODE, _run(tmp_path)) as log:
        _report(log)
    (path,) = _offline_files(tmp_path)
    _assert_complete_offline(path)
    assert not stand_in.upserts
    (warning,) = caplog.records
    assert "W&B is offline" in warning.getMessage() and "key" in warning.getMessage().lower()


def test_asked_to_be_offline_it_is_so_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DIR")
    with build(NODE, _run(tmp_path)) as log:
        _report(log)
    (path,) = log.run.folder.glob("wandb/offline-run-*/run-*.wandb")
    _assert_complete_offline(path)
    assert not caplog.records


def test_runs_of_one_sweep_do_not_merge(tmp_path: Path) -> None:
    from wandb_file import read_wandb_file

    for index in range(2):
        with build(NODE, _run(tmp_path, f"seed{index}")) as log:
            log.log_scalars({"loss": float(index)}, 0)
    runs = [read_wandb_file(path) for path in _offline_files(tmp_path)]
    assert sorted(run.name for run in runs) == ["seed0", "seed1"]
    assert {run.group for run in runs} == {"table_2"}
    assert all(run.series("loss") == [int(run.name[-1])] for run in runs)


def test_a_working_server_gets_everything_and_no_file_holds_the_key(
    tmp_path: Path, server: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    stand_in = server("works")
    with build(NODE, _run(tmp_path)) as log:
        _report(log)
    assert not caplog.records
    upsert = stand_in.upserts[0]
    config = json.loads(upsert["config"])
    assert (upsert["groupName"], upsert["displayName"], upsert["project"]) == ("table_2", "lns-seed0", "replays")
    assert config["task"]["value"] == {"size": 3} and config["revision"]["value"] == "abc123"
    assert [row["loss"] for row in stand_in.history if "loss" in row] == [0, 1, 2, 3]
    assert stand_in.exit_codes == [0]
    uploads = " ".join(stand_in.uploads)
    assert all(part in uploads for part in ("tables/results", "tables/curves/anytime", "figures/gap"))
    assert json.loads(stand_in.uploads["wandb-summary.json"])["test/gap"] == 0.375
    _assert_record_is_whole(log.run)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), f"{path} holds the key"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["error", "hangs"])
def test_a_server_that_fails_or_hangs_costs_no_result(
    tmp_path: Path, server: Callable[[str], Any], caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    server(mode)
    with build(NODE, _run(tmp_path)) as log:
        _report(log)
    (path,) = _offline_files(tmp_path)
    _assert_complete_offline(path)
    _assert_record_is_whole(log.run)
    (warning,) = caplog.records
    assert "the server did not take the run" in warning.getMessage()
    _assert_no_process_is_left()


@pytest.mark.slow
def test_a_server_that_dies_in_mid_run_costs_no_result(
    tmp_path: Path, server: Callable[[str], Any], caplog: pytest.LogCaptureFixture
) -> None:
    from wandb_file import read_wandb_file

    stand_in = server("works")
    with build(NODE, _run(tmp_path)) as log:
        log.log_scalars({"early": 1.0}, 0)
        stand_in.wait_for_history(1)
        stand_in.stop()
        _report(log)
    _assert_record_is_whole(log.run)
    (warning,) = caplog.records
    (folder,) = (tmp_path / "wandb_dir").glob("wandb/run-*/")
    assert f"wandb sync {folder}" in warning.getMessage() and "not complete" in warning.getMessage()
    (path,) = folder.glob("run-*.wandb")
    assert read_wandb_file(path).series("loss") == [0, 1, 2, 3], "what `wandb sync` would upload is whole"
    _assert_no_process_is_left()
