"""Lines about the jobs that end, whatever they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs.files import write_json
from runs.launch.progress import Display


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({"type": "ValueError", "message": "broken"}, "FAILED: ValueError: broken"),
        ({"type": "ValueError", "message": "caf\udce9 \x1b[2J"}, "FAILED: ValueError: caf\\udce9 \\x1b[2J"),
        ({"type": "ValueError", "message": ""}, "FAILED: ValueError:"),
        ({"type": "ValueError", "message": "one\ntwo"}, "FAILED: ValueError: one two"),
        ({"message": None}, "FAILED: None: None"),
    ],
)
def test_any_message_of_a_job_is_one_line(
    failure: dict[str, object], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display(tmp_path, 2) as display:
        write_json(tmp_path / "m-d-seed0-0123456789" / "failure.json", failure)
        display.update(at_once=True)
    assert capsys.readouterr().out.splitlines()[1:] == [f"[1/2] m-d-seed0 {told}"]


def test_what_lies_in_the_folder_and_is_no_job_or_done_again_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stays, again, foreign = (tmp_path / f"{name}-d-seed0-0123456789" for name in ("stays", "again", "foreign"))
    for run in (stays, again, foreign):
        write_json(run / "metrics.json", {"wall_seconds": 1})
    write_json(again / "failure.json", {"type": "ValueError", "message": "of an earlier launch"})
    with Display(tmp_path, 2, [stays]) as display:
        display.update(at_once=True)
        write_json(again / "metrics.json", {"wall_seconds": 2})
        display.update(at_once=True)
    first, *told = capsys.readouterr().out.splitlines()
    assert first.endswith("; 1 finished before") and told == ["[2/2] again-d-seed0 finished in 2.0 s"]
