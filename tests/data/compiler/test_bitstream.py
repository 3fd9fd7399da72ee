"""Functions of bitcode, told apart without LLVM."""

from __future__ import annotations

import re

import numpy as np
import pytest

from data.compiler.bitstream import alone, defined_functions
from data.compiler.embedded import LlvmliteCompiler
from runs.errors import InvalidProblem
from tests.data.compiler.modules import program_of_the_corpus

THREE = b"""
declare void @elsewhere()
define internal i32 @hidden() noinline {
  ret i32 1
}
define i32 @"with space"() {
  %x = call i32 @hidden()
  ret i32 %x
}
$group = comdat any
define linkonce_odr i32 @grouped() comdat($group) {
  ret i32 3
}
"""


def linkages(text: str) -> dict[str, str]:
    found = re.findall(r"^define (?:dso_local )?((?:\w+ )*?)(?:dso_local )?i32 @(\"[^\"]+\"|\w+)", text, re.MULTILINE)
    return {name.strip('"'): linkage.strip() for linkage, name in found}


def test_functions_that_are_defined_are_found_in_order(compiler: LlvmliteCompiler) -> None:
    found = defined_functions(compiler.load(THREE).bitcode())
    assert [function.name for function in found] == ["hidden", "with space", "grouped"]
    assert defined_functions(compiler.load(b"define void @f() {\n  ret void\n}").bitcode())[0].name == "f"


def test_all_but_one_are_said_to_be_defined_elsewhere(compiler: LlvmliteCompiler) -> None:
    bitcode = compiler.load(THREE).bitcode()
    functions = defined_functions(bitcode)
    for kept in functions:
        changed = alone(bitcode, functions, kept)
        assert len(changed) == len(bitcode)
        expected = {f.name: "" if f == kept else "available_externally" for f in functions}
        assert linkages(compiler.load(changed).text()) == expected


def test_functions_of_older_bitcode_are_found(compiler: LlvmliteCompiler) -> None:
    program = program_of_the_corpus("kissfft/kfc.bc")
    text = compiler.load(program).text()
    assert [f.name for f in defined_functions(program)] == re.findall(r"^define .*?@(\w+)", text, re.MULTILINE)


@pytest.mark.parametrize("content", [b"", b"; text", b"\xde\xc0\x17\x0b"])
def test_what_is_no_bitcode_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidProblem, match=r"it is no bitcode"):
        defined_functions(content)


def test_damaged_bitcode_gives_functions_or_an_error_and_nothing_else(compiler: LlvmliteCompiler) -> None:
    whole = compiler.load(THREE).bitcode()
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(4, len(whole), size=5)] ^= 1 << rng.integers(8, size=5).astype(np.uint8)
        for content in (damaged.tobytes(), whole[: rng.integers(4, len(whole))]):
            try:
                functions = defined_functions(content)
            except InvalidProblem:
                continue
            for kept in functions:
                assert len(alone(content, functions, kept)) == len(content)
