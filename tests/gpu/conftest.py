"""What needs a GPU: skipped where there is none; `make gpu-test` runs it alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.e2e.conftest import Launcher


@pytest.fixture
def launch(tmp_path: Path) -> Launcher:
    """In a new Python: CUDA does not outlive a fork."""
    return Launcher(tmp_path / "outputs with a space", fresh=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if "tests/gpu/" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason="no CUDA GPU here"))
