"""What fails at the end of a run is named, and costs nothing else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from runs.errors import ConfigError, StorageError
from runs.interrupt import Interrupted
from runs.record.left_out import WARNING_FILE, draw, kept_apart, warn


def warnings(folder: Path) -> list[str]:
    path = folder / WARNING_FILE
    return path.read_text().splitlines() if path.exists() else []


def test_a_failure_is_named_in_the_folder_and_its_traceback_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), kept_apart(tmp_path, "figure a"):
        raise ZeroDivisionError("1 / 0\nand\x1b[31m more")
    assert warnings(tmp_path) == ["figure a is left out: ZeroDivisionError: 1 / 0 and\\x1b[31m more"]
    assert "Traceback" in caplog.text
    with kept_apart(tmp_path, "protocol b"):
        raise ConfigError("k is too large")
    assert len(warnings(tmp_path)) == 2
    with kept_apart(tmp_path, "figure a"):
        pass
    assert warnings(tmp_path) == ["protocol b is left out: k is too large"]


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt(), OSError(28, "full"), StorageError("full")])
def test_an_interrupt_and_a_disk_that_refuses_go_through(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), kept_apart(tmp_path, "figure a"):
        raise error
    assert warnings(tmp_path) == []


def test_figures_lie_where_they_are_said_to(tmp_path: Path) -> None:
    draw(tmp_path, "a", lambda: b"png")
    draw(tmp_path, "epoch_3/b", lambda: b"png")
    draw(tmp_path, "none", lambda: None)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert found == ["figures/a.png", "figures/epoch_3/b.png"]


def test_a_subject_has_one_line(tmp_path: Path) -> None:
    for epoch in (3, 4):
        warn(tmp_path, "collapse after epoch ", f"collapse after epoch {epoch}: dead")
    assert warnings(tmp_path) == ["collapse after epoch 4: dead"]
