from __future__ import annotations

import pytest

from data.compiler.bitcode import is_bitcode, producer
from data.compiler.embedded import LlvmliteCompiler
from runs.errors import InvalidProblem
from tests.data.compiler.modules import SUM, made_by


def test_bitcode_tells_its_producer_and_text_has_none(compiler: LlvmliteCompiler) -> None:
    bitcode = compiler.load(SUM).bitcode()
    assert is_bitcode(bitcode) and producer(bitcode) == 22
    assert not is_bitcode(SUM) and producer(SUM) is None
    assert producer(made_by(bitcode, b"LLVM99.1.0")) == 99


@pytest.mark.parametrize("bits", [7, 8])
def test_a_producer_with_signs_has_wider_letters(bits: int) -> None:
    name = "LLVM19.1.7-rust-1.85.0-stable"
    stream = sum(ord(letter) << bits * i for i, letter in enumerate(name)) << 3
    assert producer(b"BC\xc0\xde" + stream.to_bytes(40, "little")) == 19


def test_bitcode_of_a_newer_llvm_names_both_versions(compiler: LlvmliteCompiler) -> None:
    newer = made_by(compiler.load(SUM).bitcode(), b"LLVM99.1.0")
    with pytest.raises(
        InvalidProblem, match=r"lua.bc: its bitcode is of LLVM 99, newer than LLVM 22.*clang 22 or older"
    ):
        compiler.load(newer, "lua.bc")
