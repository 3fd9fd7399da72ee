"""What strangers wrote reaches no figure, terminal, page, table, shell or path as a command."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

from runs.compare import compare, write
from runs.report.build import build
from runs.report.console import Terminal
from runs.report.terminal import print_to_terminal

TEXTS = {
    "mathtext": "price$1^$",
    "latex": "\\frac{",
    "markup": "[red]x[/] [link=file:///etc/passwd]y[/link]",
    "html": "<script>alert(1)</script>",
    "terminal": "\x1b[2J\x1b]0;title\x07x",
    "not UTF-8": "caf\udce9",
    "wide": "植" * 78,
    "direction": "\u202egnp.exe",
    "shell": "$(touch ran); `touch ran`",
    "path": "../../../x",
    "formula": "=1+1",
}


def hostile(sweep, text: str) -> Path:
    """A sweep in which everything that a stranger names is ``text``, and one run failed with it."""
    stored = text.encode("utf-8", "replace").decode()  # a table can hold nothing else
    for method, value in ((stored, 1.0), (f"{stored} too", 2.0)):
        for seed in (0, 1):
            name = f"{'a' if value == 1 else 'b'}{seed}"
            metrics = {f"files/{stored}": {stored: value + seed}}
            sweep.run(method, seed, name=name, config={"note": stored}, metrics=metrics)
    broken = sweep.run("broken", 0, status="failed")
    failure = {"type": "ValueError", "message": text, "traceback": text, "overrides": [f"data.path={text}"]}
    (broken / "failure.json").write_text(json.dumps(failure))
    (broken / "environment.json").write_text(json.dumps({"overrides": [f"data.path={text}"]}))
    (sweep.folder / "a0" / "metrics.json").write_text(
        json.dumps({"metrics": {text: 1.0}, "instance_errors": {f"files/{text}": text}})
    )
    (sweep.folder / "not_begun.json").write_text(json.dumps({"jobs": [[text]]}))
    return sweep.folder


@pytest.mark.parametrize("name", TEXTS)
def test_a_report_shows_any_text_and_obeys_none(name: str, sweep, tmp_path: Path) -> None:
    text = TEXTS[name]
    folder = hostile(sweep, text)
    summary = build(folder)
    assert {path.resolve().parent for path in summary.figures} == {(folder / "figures").resolve()}
    page = summary.html.read_text(encoding="utf-8")
    assert "<script>alert" not in page
    for encoding in ("utf-8", "ascii"):
        shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        print_to_terminal(summary, Terminal(file=shown, width=100, no_color=True))
        shown.seek(0)
        printed = shown.read()
        assert "\x1b" not in printed
        assert "\u202e" not in printed
        assert "ValueError: " in printed
    assert (folder / "summary.txt").read_text(encoding="utf-8")
    assert len(pd.read_csv(folder / "report.csv")) == len(summary.table)
    comparison = compare(folder / "a0", folder / "b0")
    assert {path.parent for path in write(comparison, tmp_path / "compared")} == {tmp_path / "compared"}


def test_a_command_is_one_word_for_each_override_whatever_it_says(sweep) -> None:
    summary = build(hostile(sweep, TEXTS["shell"]))
    (broken,) = summary.failed
    assert shlex.split(broken.command) == ["python", "launch.py", f"data.path={TEXTS['shell']}"]


def test_the_command_that_builds_the_page_again_is_quoted(sweep) -> None:
    sweep.folder = sweep.folder.with_name("it's; here")
    sweep.run("a", 0, metrics={"x/1": {"cost": 1.0}})
    assert (
        f"python -m runs.report {shlex.quote(str(sweep.folder))}".replace("'", "&#39;").replace('"', "&#34;")
        in build(sweep.folder).html.read_text()
    )


def test_columns_stay_below_each_other_beside_wide_characters(sweep) -> None:
    for method in ("植物の方法", "plain"):
        for seed in (0, 1):
            sweep.run(method, seed, name=f"{method}{seed}", metrics={"files/植物": {"cost": 1.0 + seed}})
    out = io.StringIO()
    print_to_terminal(build(sweep.folder), Terminal(file=out, width=80))
    table = [line for line in out.getvalue().splitlines() if line.startswith(("│", "┃", "├", "┏", "└"))]
    assert len(table) >= 5
    assert {cell_len(line) for line in table} == {cell_len(table[0])}
