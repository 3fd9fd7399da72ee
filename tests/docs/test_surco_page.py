"""The page on problems of one's own works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from solvers.differentiable.minimise import minimise

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "surco.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(CODE[0], names)
    found = names["found"]
    assert found.x.sum() == 4 and found.f < 6  # type: ignore[attr-defined]
    assert capsys.readouterr().out


def test_the_cost_of_the_page_is_minimised_on_a_file(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    exec(CODE[1], names)
    path = tmp_path / "three.lp"
    terms = [f"x{i}" for i in range(6)]
    path.write_text(f"Minimize\n obj: x0\nSubject To\n r: {' + '.join(terms)} = 3\nBinary\n {' '.join(terms)}\nEnd\n")
    assert minimise(str(path), names["near_seven"], queries=60).f == 0  # type: ignore[arg-type]
