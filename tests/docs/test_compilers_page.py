"""The page on compilers works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.compiler.embedded import LlvmliteCompiler
from tests.data.compiler.modules import SUM, SUM_COUNT

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "compilers.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_leaves_a_smaller_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("sum.ll").write_bytes(SUM)
    exec(code, {})
    before, level, after = (float(word) for word in capsys.readouterr().out.split())
    assert before == SUM_COUNT and after <= level < before
    with LlvmliteCompiler() as compiler:
        assert compiler.load(Path("sum.opt.bc").read_bytes()).count() == after
