"""What a run read from outside is known by content, and a difference is told file by file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runs import inputs


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    return {"cache": str(tmp_path / "cache"), "outputs": str(tmp_path / "data" / "outputs")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "below").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "below/c.txt"):
        (folder / name).write_text(f"content of {name}")
    return folder


def recorded(tmp_path: Path, data: Path | str, paths: dict[str, str], key: str = "path") -> Path:
    run = tmp_path / "run"
    inputs.record(run, {"data": {key: str(data)}}, paths)
    return run


def told(run: Path) -> list[str]:
    return inputs.changed([run]).get(run, [])


def test_settings_that_name_what_exists_are_inputs_and_no_others(data: Path) -> None:
    config = {
        "data": {"path": str(data), "name": str(data), "train_folder": str(data / "below"), "file": "no such file"},
        "model": {"layers": [{"checkpoint": str(data / "a.txt")}], "drop_path": 0.1},
        "task": {"sweep": [1.0, 3.0], "path": None, "paths": [str(data)], "files": {"file": "x" * 5000}},
    }
    found = {"data.path", "data.train_folder", "model.layers.0.checkpoint"}
    assert inputs.named(config).keys() == found


def test_nothing_has_changed_while_content_is_the_same(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    run = recorded(tmp_path, data, paths)
    os.utime(data / "a.txt", ns=(1, 1))
    (data / "b.txt").write_text("content of b.txt")
    assert told(run) == []


def test_files_that_are_new_changed_or_gone_are_named(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    run = recorded(tmp_path, data, paths)
    (data / "a.txt").write_text("other")
    (data / "b.txt").unlink()
    for name in "wxyz":
        (data / "below" / name).touch()
    new = "below/w, below/x, below/y and 1 others new"
    assert told(run) == [f"data.path: in {data} {new}; b.txt gone; a.txt changed"]


def test_a_file_of_the_same_size_is_compared_by_content(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    run = recorded(tmp_path, data / "a.txt", paths)
    (data / "a.txt").write_text("CONTENT of a.txt")
    assert told(run) == [f"data.path: {data / 'a.txt'} has changed"]


def test_a_difference_is_seen_without_the_cache(tmp_path: Path, data: Path) -> None:
    run = recorded(tmp_path, data, {})
    (data / "a.txt").write_text("other")
    assert told(run) == [f"data.path: {data} has changed"]


def test_hidden_files_outputs_and_links_upwards_do_not_count(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    (data / "below" / "up").symlink_to(data)
    run = recorded(tmp_path, data, paths)
    (data / ".hidden").touch()
    (data / ".git").mkdir()
    (data / ".git" / "index").touch()
    (data / "outputs").mkdir()
    (data / "outputs" / "result").touch()
    assert told(run) == []


def test_linked_folders_and_files_count(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    run = recorded(tmp_path, data, paths)
    (tmp_path / "elsewhere" / "d.txt").touch()
    assert told(run) == [f"data.path: in {data} linked/d.txt new"]


def test_of_a_run_only_its_network_counts(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    trained = tmp_path / "sweep" / "trained"
    (trained / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "environment.json", "checkpoints/last.ckpt"):
        (trained / name).write_text(name)
    for given in (trained, trained.parent):
        run = recorded(tmp_path, given, paths, "checkpoint")
        (trained / "report.html").write_text(str(given))
        assert told(run) == []
        (trained / "checkpoints" / "last.ckpt").write_text(f"trained on beside {given}")
        assert len(told(run)) == 1


def test_a_relative_path_is_looked_up_where_the_command_is_given(
    tmp_path: Path, data: Path, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    run = recorded(tmp_path, "a.txt", paths)
    assert told(run) == []
    monkeypatch.chdir(data / "below")
    assert told(run) == [f"data.path: a.txt is not in {data / 'below'}"]
    (data / "below" / "a.txt").write_text("another file of this name")
    assert told(run) == ["data.path: a.txt has changed"]


def test_what_was_computed_from_a_file_that_is_gone_stays_true(
    tmp_path: Path, data: Path, paths: dict[str, str]
) -> None:
    run = recorded(tmp_path, data / "a.txt", paths)
    (data / "a.txt").unlink()
    assert told(run) == []


def test_large_data_count_by_size_and_time(
    tmp_path: Path, data: Path, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "READ_AT_MOST", 10)
    run = recorded(tmp_path, data, paths)
    assert told(run) == []
    (data / "a.txt").write_text("other")
    assert told(run) == [f"data.path: in {data} a.txt changed"]


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path, data: Path, paths: dict[str, str]) -> None:
    (data / os.fsdecode(b"\xff.txt")).touch()
    run = recorded(tmp_path, data, paths)
    assert told(run) == []
    (data / os.fsdecode(b"\xff.txt")).write_text("more")
    assert told(run) == [f"data.path: in {data} \\udcff.txt changed"]


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"read": 3}', '{"read": {"data.path": {"path": 3}}}', '{"read": {"a": 1}}']
)
def test_a_damaged_record_says_nothing(damage: str, tmp_path: Path) -> None:
    (tmp_path / inputs.RECORD).write_text(damage)
    assert inputs.changed([tmp_path]) == {}
