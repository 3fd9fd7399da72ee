"""What ``compiler=`` offers."""

from __future__ import annotations

import pytest

from runs.build import build
from runs.errors import MissingDependency
from tests.composition import composed


def test_llvmlite_is_a_choice_with_its_action_space() -> None:
    with build(composed("+compiler=llvmlite", "compiler.space=single"), "compiler") as compiler:
        assert str(compiler.fingerprint) == "llvmlite LLVM 22.1.0, 44 actions (single)"


def test_the_service_lies_below_the_cache_or_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRISE_COMPILER_GYM", raising=False)
    with pytest.raises(MissingDependency, match=r"not laid out in /nowhere/compiler_gym"):
        build(composed("+compiler=compiler_gym", "paths.cache=/nowhere"), "compiler")
    monkeypatch.setenv("REPRISE_COMPILER_GYM", "/else/where")
    with pytest.raises(MissingDependency, match=r"not laid out in /else/where"):
        build(composed("+compiler=compiler_gym"), "compiler")


def test_opt_is_the_one_on_the_path_or_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRISE_OPT", "/nowhere/opt")
    with pytest.raises(MissingDependency, match=r"there is no program /nowhere/opt"):
        build(composed("+compiler=opt"), "compiler")
