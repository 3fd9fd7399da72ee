"""The status of a run folder is derived from what is there, and every file of a record is whole or absent."""

from __future__ import annotations

import os
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from runs import environment, interrupt
from runs.anytime import Trace
from runs.files import atomic_write, read_json, write_json
from runs.names import fingerprint, register_resolvers, run_name, safe_name, sweep_name
from runs.record import instances
from runs.record.checkpoint import FileCheckpoint
from runs.record.instances import InstanceResult
from runs.record.run_record import RunRecord, RunStatus, changes, status

CFG = OmegaConf.create(
    {"method": "m", "seed": 0, "data": {"name": "d"}, "force": False, "debug": False, "paths": {"outputs": "a"}}
)


def test_status_follows_from_the_files_and_the_lock(tmp_path: Path) -> None:
    assert status(tmp_path) == RunStatus.KILLED
    write_json(tmp_path / "failure.json", {"type": "ValueError"})
    assert status(tmp_path) == RunStatus.FAILED
    with FileLock(tmp_path / "owner.lock", is_singleton=False):
        assert status(tmp_path) == RunStatus.RUNNING
    write_json(tmp_path / "metrics.json", {"metrics": {}})
    assert status(tmp_path) == RunStatus.FINISHED


def test_a_torn_metrics_file_is_not_a_finished_run(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"metrics": {')
    assert status(tmp_path) == RunStatus.KILLED


def test_a_failure_in_a_sweep_is_recorded_and_swallowed_and_raised_elsewhere(tmp_path: Path) -> None:
    with RunRecord(tmp_path / "sweep", CFG, [], in_sweep=True):
        raise ValueError("on purpose")
    assert read_json(tmp_path / "sweep" / "failure.json")["message"] == "on purpose"
    with pytest.raises(ValueError, match="on purpose"), RunRecord(tmp_path / "single", CFG, []):
        raise ValueError("on purpose")
    assert status(tmp_path / "single") == RunStatus.FAILED


@pytest.mark.parametrize("name", ["starts", "lives"])  # "lives" was its name once
def test_a_run_that_was_killed_counts_its_starts(name: str, tmp_path: Path) -> None:
    with RunRecord(tmp_path, CFG, []):
        pass
    assert read_json(tmp_path / "environment.json")["starts"] == 1
    write_json(tmp_path / "environment.json", {name: 2})
    with RunRecord(tmp_path, CFG, []) as record:
        assert not record.ended
    assert read_json(tmp_path / "environment.json")["starts"] == 3


def test_an_interrupt_leaves_no_failure_behind(tmp_path: Path) -> None:
    with pytest.raises(interrupt.Interrupted), RunRecord(tmp_path, CFG, [], in_sweep=True):
        raise interrupt.Interrupted(signal.SIGTERM)
    assert status(tmp_path) == RunStatus.KILLED


def test_a_write_that_fails_leaves_the_old_content_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")
    for name in ("write", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError("refused")))
            with pytest.raises(OSError, match="refused"):
                atomic_write(path, b"new")
        assert path.read_bytes() == b"old"
        assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_json_is_strict_and_takes_numpy(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": np.float64("nan"), "y": [np.int64(3), float("inf")]})
    assert read_json(tmp_path / "a.json") == {"x": None, "y": [3, None]}


@pytest.mark.parametrize("changed", ["seed", "data.name", "method"])
def test_a_run_is_named_by_what_it_is(changed: str) -> None:
    other = OmegaConf.merge(CFG, OmegaConf.from_dotlist([f"{changed}=7"]))
    assert run_name(other) != run_name(CFG)
    assert run_name(CFG).startswith("m-d-seed0-")


@pytest.mark.parametrize("shown", ["force=true", "debug=true", "paths.outputs=b"])
def test_how_a_run_is_shown_does_not_change_its_name(shown: str) -> None:
    assert fingerprint(OmegaConf.merge(CFG, OmegaConf.from_dotlist([shown]))) == fingerprint(CFG)


def test_a_figure_with_the_content_of_a_table_finds_its_sweep() -> None:
    def sweep(*task: str) -> str:
        hydra = {"sweeper": {"params": {"seed": "1,2"}}, "overrides": {"task": list(task)}}
        return sweep_name(OmegaConf.merge(CFG, {"experiment": "table", "hydra": hydra}))

    assert sweep("experiment=p/table") == sweep("experiment=p/figure", "force=true")
    assert sweep("experiment=p/table") != sweep("experiment=p/table", "solver=a,b")


@given(st.text(max_size=300))
def test_any_text_makes_a_file_name(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= 150
    assert "/" not in name
    assert not name.startswith(".")


def test_resolvers_split_a_choice() -> None:
    register_resolvers()
    cfg = OmegaConf.create({"a": "${name_of:x/y}", "b": "${folder_of:x/y}", "c": "${name_of:null}"})
    assert (cfg.a, cfg.b, cfg.c) == ("y", "x", "own")


def test_the_result_of_an_instance_survives_the_disk_exactly(tmp_path: Path) -> None:
    trace = Trace(maximize=True)
    trace.record(0.1, 0, 1 / 3)
    trace.record(0.2, 5, 2 / 3, 0.9)
    log = {"status": np.array(["optimal"]), "improvement": np.array([1 / 3])}
    saved = InstanceResult(3, "d/x y", {"primal_bound": 2 / 3}, trace, log, np.array([1.0, 0.0]))
    instances.save(tmp_path, saved)
    (found,) = instances.load_all(tmp_path)
    assert (found.index, found.name, found.metrics) == (saved.index, saved.name, saved.metrics)
    assert found.trace is not None
    assert found.trace.maximize
    for column, values in trace.to_arrays().items():
        np.testing.assert_array_equal(found.trace.to_arrays()[column], values)
    assert found.log["status"][0] == "optimal"
    assert np.array_equal(found.assignment, saved.assignment)  # type: ignore[arg-type]


def test_a_torn_result_or_checkpoint_reads_as_absent(tmp_path: Path) -> None:
    checkpoint = FileCheckpoint(tmp_path / "state.npz", every=0)
    assert checkpoint.load() is None
    checkpoint.save({"x": np.arange(5)})
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: len(content) // 2])
    assert checkpoint.load() is None
    path = instances.result_path(tmp_path, "a")
    path.parent.mkdir()
    path.write_bytes(content)
    assert instances.load(path) is None


def test_a_signal_raises_the_flag_and_the_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with interrupt.watch(), interrupt.watch():
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.requested()
            with pytest.raises(interrupt.Interrupted) as caught:
                interrupt.check()
        assert caught.value.signal_number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        interrupt.clear()


def depending(tmp_path: Path, **settings: object) -> DictConfig:
    places = {"outputs": str(tmp_path / "outputs"), "cache": str(tmp_path / "cache")}
    return OmegaConf.merge(CFG, {"paths": places, **settings})


def finish(record: RunRecord, value: float) -> None:
    with record:
        assert not record.ended
        write_json(record.folder / "metrics.json", {"metrics": {"value": value}})


def test_a_run_whose_file_has_changed_begins_anew_and_the_old_result_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, folder = tmp_path / "problem.mps", tmp_path / "run"
    file.write_text("-3")
    cfg = depending(tmp_path, data={"path": str(file)})
    finish(RunRecord(folder, cfg, []), 1.0)
    with RunRecord(folder, cfg, []) as same:
        assert same.ended
    file.write_text("-30")
    finish(RunRecord(folder, cfg, []), 2.0)
    kept = tmp_path / "superseded" / "run-1"
    assert f"{file} has changed" in caplog.text
    assert str(kept) in caplog.text
    assert read_json(kept / "metrics.json")["metrics"] == {"value": 1.0}
    assert read_json(folder / "environment.json")["starts"] == 1
    with RunRecord(folder, cfg, []) as same:
        assert same.ended


def test_an_unfinished_training_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    file, folder = tmp_path / "text.txt", tmp_path / "run"
    file.write_text("one")
    cfg = depending(tmp_path, data={"path": str(file)})
    with RunRecord(folder, cfg, []) as record:
        (folder / "checkpoints").mkdir()
        with zipfile.ZipFile(folder / "checkpoints" / "last.ckpt", "w") as archive:
            archive.writestr("data", "x")
        assert record.last_checkpoint is not None
    file.write_text("two")
    with RunRecord(folder, cfg, []) as record:
        assert record.last_checkpoint is None


def test_a_variable_of_the_environment_that_changed_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = depending(tmp_path, task={"size": "${oc.env:SIZE_OF_THE_TEST}", "tiny": 1e-12, "nothing": float("nan")})
    monkeypatch.setenv("SIZE_OF_THE_TEST", "3")
    finish(RunRecord(tmp_path / "run", cfg, []), 1.0)
    assert changes(tmp_path / "run", cfg) == []
    monkeypatch.setenv("SIZE_OF_THE_TEST", "4")
    assert changes(tmp_path / "run", cfg) == ["task.size was '3' and is '4'"]
    finish(RunRecord(tmp_path / "run", cfg, []), 2.0)


def test_where_results_and_data_lie_makes_no_other_run(tmp_path: Path) -> None:
    for place in "ab":
        (tmp_path / place / "data").mkdir(parents=True)
        (tmp_path / place / "data" / "numbers.txt").write_text("the same")

    def at(place: str) -> DictConfig:
        paths = {name: str(tmp_path / place / name) for name in ("outputs", "cache", "data")}
        data = {"path": "${paths.data}/numbers.txt", "cache": "${paths.cache}"}
        return OmegaConf.merge(CFG, {"paths": paths, "data": data})

    finish(RunRecord(tmp_path / "run", at("a"), []), 1.0)
    assert changes(tmp_path / "run", at("b")) == []
    (tmp_path / "b" / "data" / "numbers.txt").write_text("others")
    assert len(changes(tmp_path / "run", at("b"))) == 1


def test_a_folder_named_by_hand_does_not_mix_two_solvers(tmp_path: Path) -> None:
    finish(RunRecord(tmp_path / "mine", depending(tmp_path, solver={"name": "a", "width": 3}), []), 1.0)
    finish(RunRecord(tmp_path / "mine", depending(tmp_path, solver={"name": "b"}), []), 2.0)
    assert read_json(tmp_path / "superseded" / "mine-1" / "metrics.json")["metrics"] == {"value": 1.0}


def test_other_code_is_said_and_nothing_is_done_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    finish(RunRecord(tmp_path / "run", CFG, []), 1.0)
    monkeypatch.setattr(environment, "code", lambda: "edited")
    with RunRecord(tmp_path / "run", CFG, []) as record:
        assert record.ended
    assert "this run was finished with other code" in caplog.text


def test_what_a_killed_writer_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    with RunRecord(tmp_path, CFG, []):
        (tmp_path / "figures").mkdir()
        (tmp_path / "figures" / ".a.png.x1.part").touch()
        (tmp_path / "part").touch()
    with RunRecord(tmp_path, CFG, []):
        assert not list(tmp_path.rglob("*.part"))
        assert (tmp_path / "part").exists()
