from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runs.errors import ConfigError, InvalidProblem
from solvers.compiler.coreset_file import read_coreset, write_coreset
from tests.solvers.compiler.counting_down import CountingDown

SEQUENCES = ((0, 1), (2,), (3, 0, 0))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "coreset.json"
    write_coreset(path, SEQUENCES, CountingDown())
    return path


def changed(file: Path, **values: Any) -> Path:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return file


def test_what_was_written_is_read_in_its_order(file: Path) -> None:
    assert read_coreset(file, CountingDown()) == SEQUENCES
    assert json.loads(file.read_text())["sequences"][0] == ["clear0", "clear1"]


def test_a_coreset_of_another_compiler_names_both(file: Path) -> None:
    with pytest.raises(
        InvalidProblem, match=r"coreset.json was chosen for counting down 1, 5 actions .*, not for .* 4 ac"
    ):
        read_coreset(file, CountingDown(numbers=2))


@pytest.mark.parametrize("content", ["", "[1]", '{"format": "other"}', '{"format": "pass cor'])
def test_a_file_that_is_none_or_half_of_one_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(InvalidProblem, match=r"coreset.json is no coreset, or was cut off; expected JSON with format"):
        read_coreset(file, CountingDown())


@pytest.mark.parametrize("sequences", [None, [], [[]], ["clear0"], [[1]]])
def test_sequences_of_another_form_are_refused(file: Path, sequences: Any) -> None:
    with pytest.raises(InvalidProblem, match=r"coreset.json: 'sequences' must be a list of one list or more"):
        read_coreset(changed(file, sequences=sequences), CountingDown())


def test_a_pass_that_is_not_known_and_a_missing_file_are_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no action 'clear9'; did you mean 'clear"):
        read_coreset(changed(file, sequences=[["clear9"]]), CountingDown())
    with pytest.raises(ConfigError, match=r"there is no file .*absent.json; collect one first"):
        read_coreset(file.with_name("absent.json"), CountingDown())
