"""A finished sweep tells that the code has changed since, and is not redone for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs import environment
from runs.files import write_json
from runs.launch.sweep import say_other_code


def test_runs_made_by_other_code_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, code in (("a", environment.code()), ("b", None)):
        write_json(tmp_path / name / "environment.json", {"code": code})
    say_other_code(tmp_path)
    assert capsys.readouterr().err == ""
    write_json(tmp_path / "c" / "environment.json", {"code": "before"})
    say_other_code(tmp_path)
    assert capsys.readouterr().err == "1 of 3 runs were made by other code; force=true makes them anew\n"
