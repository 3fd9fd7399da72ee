from __future__ import annotations

from collections.abc import Iterator

import pytest

from data.compiler.embedded import LlvmliteCompiler


@pytest.fixture(scope="session")
def compiler() -> Iterator[LlvmliteCompiler]:
    """One child for all."""
    with LlvmliteCompiler() as compiler:
        yield compiler
