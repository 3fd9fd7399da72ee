"""What ``compiler=`` offers."""

from __future__ import annotations

from hydra.utils import instantiate

from tests.composition import composed


def test_llvmlite_is_a_choice_with_its_action_space() -> None:
    with instantiate(composed("+compiler=llvmlite", "compiler.space=single").compiler) as compiler:
        assert str(compiler.fingerprint) == "llvmlite LLVM 22.1.0, 44 actions (single)"
