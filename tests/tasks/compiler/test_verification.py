from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.machine_code import code_bytes
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from tasks.compiler.verification import Verification
from tests.data.compiler.modules import SUM

MAIN = b"""
@shape = private constant [4 x i8] c"%d\\0A\\00"
declare i32 @printf(ptr, ...)
define i32 @main(i32 %count, ptr %words) {
  %doubled = mul i32 %count, 2
  %printed = call i32 (ptr, ...) @printf(ptr @shape, i32 %doubled)
  ret i32 %count
}
"""
OTHER = MAIN.replace(b"%count, 2", b"%count, %count")
needs_a_linker = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no cc to link with")


@pytest.fixture(scope="module")
def compiler() -> Iterator[LlvmliteCompiler]:
    with LlvmliteCompiler("single") as compiler:
        yield compiler


@needs_a_linker
def test_runs_that_differ_are_named(compiler: LlvmliteCompiler) -> None:
    run = Verification("run", arguments=[["a"], []])
    assert run.difference(MAIN, MAIN, compiler, "main") is None
    found = run.difference(MAIN, OTHER, compiler, "main")  # as 2 * 2 = 2 + 2, the first run is the same
    assert found is not None and found.startswith("with no arguments it printed b'1\\n' and ended with code 1")


@needs_a_linker
def test_a_program_without_main_cannot_be_run(compiler: LlvmliteCompiler) -> None:
    with pytest.raises(InvalidProblem, match=r"sum cannot be linked .* it must have a main"):
        Verification("run").difference(SUM, SUM, compiler, "sum")


def test_what_the_verifier_refuses_is_named(compiler: LlvmliteCompiler) -> None:
    broken = SUM.replace(b"ret i32 %answer", b"ret ptr %answer")
    found = Verification("verifier").difference(SUM, broken, compiler, "sum")
    assert found is not None and found.startswith("LLVM's verifier refuses it")
    assert Verification("none").difference(SUM, broken, compiler, "sum") is None


def test_what_is_missing_or_unknown_is_named(compiler: LlvmliteCompiler) -> None:
    with pytest.raises(MissingDependency, match=r"task\.verification\.linker"):
        Verification("run", linker="no-such-linker").difference(MAIN, MAIN, compiler, "main")
    with pytest.raises(ConfigError, match=r"task\.verify is 'runs'"):
        Verification("runs")  # type: ignore[arg-type]


def test_machine_code_shrinks_with_the_level_of_size(compiler: LlvmliteCompiler) -> None:
    assert 0 < code_bytes(compiler.at_level(SUM), compiler) < code_bytes(SUM, compiler)
