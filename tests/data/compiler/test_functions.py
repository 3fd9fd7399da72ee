from __future__ import annotations

import re

from data.compiler.base import indices
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.functions import function_programs, functions_of, normalised
from data.compiler.program import Program
from tests.data.compiler.modules import SUM, SUM_COUNT

TWO = b"""
@table = internal constant [2 x i32] [i32 3, i32 5]
$shared = comdat any
declare i32 @abs(i32)
define internal i32 @"first one"(i32 %x) {
  %a = call i32 @abs(i32 %x)
  %b = load i32, ptr @table
  %c = add i32 %a, %b
  ret i32 %c
}
define linkonce_odr dso_local i32 @second(i32 %x) comdat($shared) {
  %a = call i32 @"first one"(i32 %x)
  %b = mul i32 %a, 3
  ret i32 %b
}
"""
BLOCK_OF_ANOTHER = b"""
@place = internal global ptr blockaddress(@first, %inside)
define void @first() {
  br label %inside
inside:
  ret void
}
define ptr @second() {
  %a = load ptr, ptr @place
  ret ptr %a
}
"""


def test_each_function_stands_alone_with_what_it_uses(compiler: LlvmliteCompiler) -> None:
    programs = function_programs(Program("a/two", "a", TWO), compiler, least=1)
    assert not programs.refused
    first, second = programs.kept
    assert (first.name, second.name, first.family) == ("a/two/first one", "a/two/second", "a")
    text = compiler.load(first.bitcode).text()
    assert "@table" in text and "@abs" in text and "@second" not in text
    text = compiler.load(second.bitcode).text()
    assert re.search(r'declare i32 @"first one"\(i32', text) and "@table" not in text
    assert [compiler.load(program.bitcode).count() for program in programs.kept] == [4, 3]


def test_no_pass_takes_a_function_that_stands_alone_for_dead(compiler: LlvmliteCompiler) -> None:
    for program in function_programs(Program("a/two", "a", TWO), compiler, least=1).kept:
        state = compiler.load(program.bitcode)
        assert state.apply(*indices(compiler, ["global_dead_code_eliminate"])).count() == state.count()


def test_functions_of_other_sizes_are_left_aside(compiler: LlvmliteCompiler) -> None:
    programs = function_programs(Program("a/two", "a", TWO), compiler, least=4, most=400)
    assert [program.name for program in programs.kept] == ["a/two/first one"]


def test_a_function_that_cannot_stand_alone_is_named(compiler: LlvmliteCompiler) -> None:
    programs = function_programs(Program("a/blocks", "a", BLOCK_OF_ANOTHER), compiler, least=1)
    assert list(programs.refused) == ["a/blocks/second"]
    assert "blockaddress" in programs.refused["a/blocks/second"]


def test_all_bodies_of_a_module_are_found_once() -> None:
    text = TWO.decode()
    assert [name for name, _ in functions_of(text)] == ["first one", "second"]
    assert all(part.count("\ndefine ") == 1 for _, part in functions_of(text))


def test_names_alone_make_no_other_program() -> None:
    renamed = SUM.replace(b"@sum", b"@total").replace(b"%index", b"%place").replace(b"body", b"inside")
    other = SUM.replace(b"icmp slt", b"icmp sle")
    assert normalised(SUM.decode()) == normalised(renamed.decode()) != normalised(other.decode())


def test_names_of_functions_elsewhere_and_texts_make_other_programs() -> None:
    call = "declare i32 @abs(i32)\ndefine i32 @f(i32 %x) {\n  %y = call i32 @abs(i32 %x)\n  ret i32 %y\n}\n"
    assert normalised(call) != normalised(call.replace("@abs", "@labs"))
    assert normalised(call) == normalised(call.replace("%y", "%z").replace("@f", "@g"))
    text = '@t = constant [2 x i8] c"%a"\n'
    assert normalised(text) != normalised(text.replace("%a", "%b"))


def test_the_count_of_a_function_is_its_own(compiler: LlvmliteCompiler) -> None:
    programs = function_programs(Program("a/sum", "a", SUM), compiler, least=1)
    assert compiler.load(programs.kept[0].bitcode).count() == SUM_COUNT
