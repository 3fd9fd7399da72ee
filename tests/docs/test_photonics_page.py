"""The file and the code of the page on own devices work as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import ROOT

PAGE = (ROOT / "docs" / "photonics.md").read_text(encoding="utf-8")


def test_the_device_of_the_page_is_read_solved_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in re.findall(r"^`(\S+)`\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        Path(name).write_text(content)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["device"].solved(found["x"]) and found["device"].is_feasible(found["x"])
    assert np.abs(found["scattering"][:, 1]) == pytest.approx(1, abs=0.01)
    assert found["field"].shape == found["device"].grid.shape
    assert len(Path("scattering.csv").read_text().splitlines()) == 1 + 5
    assert Path("scattering.png").read_bytes().startswith(b"\x89PNG")
