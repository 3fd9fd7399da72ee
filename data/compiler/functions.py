"""Functions of a module as programs of their own (docs/papers/pass_order.md#2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from data.compiler.base import Compiler, PassFailure, indices
from data.compiler.bitstream import alone, defined_functions
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.program import Program, Programs
from runs.errors import InvalidProblem
from runs.text import printable

_DEFINITION = re.compile(r"^define (?P<head>.*?)(?P<name>@(?:\"[^\"]*\"|[-\w$.]+))(?P<rest>\(.*) \{$")
_LINKAGE = re.compile(r"\b(?:private|internal|available_externally|linkonce|weak|linkonce_odr|weak_odr|common)\b ?")
_OF_A_BODY = re.compile(r" (?:comdat(?:\(\$[^)]*\))?|section \"[^\"]*\"|personality ptr @[-\w$.]+|![\w.]+ !\d+)(?= |$)")


def functions_of(text: str) -> Iterator[tuple[str, str]]:
    """Each function that a module defines, by name, with a module in which all others are only declared.

    Parameters
    ----------
    text
        A module as LLVM prints it.

    Yields
    ------
    tuple
        Name without its sign, and text. What cannot stand alone (an address of a block of another function, say) shows
        when the text is read.
    """
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if _DEFINITION.match(line)]
    ends = [lines.index("}", start) for start in starts]
    for kept in starts:
        parts: list[str] = []
        position = 0
        for start, end in zip(starts, ends, strict=True):
            parts += lines[position:start]
            parts += _exported(lines[start : end + 1]) if start == kept else [_declaration(lines[start])]
            position = end + 1
        found = _DEFINITION.match(lines[kept])
        assert found
        yield found["name"].strip('@"'), "\n".join([*parts, *lines[position:], ""])


def _exported(lines: list[str]) -> list[str]:
    """A function that others may call, so that no pass takes it for dead."""
    found = _DEFINITION.match(lines[0])
    assert found
    return [f"define {_LINKAGE.sub('', found['head'])}{found['name']}{found['rest']} {{", *lines[1:]]


def _declaration(line: str) -> str:
    found = _DEFINITION.match(line)
    assert found
    return f"declare {_LINKAGE.sub('', found['head'])}{found['name']}{_OF_A_BODY.sub('', found['rest'])}"


_TOKEN = re.compile(r"""c?"(?:[^"\\]|\\.)*"|[@%](?:"[^"]*"|[-\w$.]+)|^[-\w$.]+(?=:)""", re.MULTILINE)
_ABOUT_FILES = re.compile(r"^(?:; ModuleID|source_filename|!llvm\.ident|attributes #|!\d+ = ).*\n", re.MULTILINE)
_DECLARED = re.compile(r"^declare .*?(@(?:\"[^\"]*\"|[-\w$.]+))\(", re.MULTILINE)


def normalised(text: str) -> str:
    """The text of a module without names of its own: two that differ in them alone are one program.

    Names of functions that it only declares stay, since passes know the library's.
    """
    text = re.sub(r" *;.*$", "", _ABOUT_FILES.sub("", text), flags=re.MULTILINE)
    foreign = set(_DECLARED.findall(text))
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        token = found[0]
        if (token[0] in 'c"' and token.endswith('"')) or token in foreign:
            return token
        label = token if token[0] in "@%" else f"%{token}"
        new = names.setdefault(label, f"{label[0]}{len(names)}")
        return new if token[0] in "@%" else new[1:]

    return _TOKEN.sub(number, text)


def function_programs(program: Program, compiler: LlvmliteCompiler, least: int = 20, most: int = 400) -> Programs:
    """Each function of a program with ``least`` to ``most`` instructions as a program of the same family.

    Parameters
    ----------
    program
        Its functions keep the globals that they use.
    compiler
        Prints the module and reads what is made of it.
    least, most
        Instructions.

    Returns
    -------
    Programs
        Functions that cannot stand alone are refused by name; those of other sizes are neither kept nor refused.
    """
    modules = (
        (name, text.encode()) for name, text in functions_of(compiler.load(program.bitcode, program.name).text())
    )
    return _cleaned(program, compiler, modules, ("global_dead_code_eliminate", "strip_dead_prototype"), least, most)


def function_programs_by_passes(program: Program, compiler: Compiler, least: int = 20, most: int = 400) -> Programs:
    """The same for a compiler of an older LLVM, which does not read what llvmlite writes: it cuts by its own passes.

    In the bitcode all other functions are said to be defined elsewhere, so that their bodies may be dropped.

    Parameters
    ----------
    program
        Bitcode.
    compiler
        Has the passes ``elim-avail-extern``, ``globaldce`` and ``strip-dead-prototypes``, with a dash in front or without.
    least, most
        Instructions.

    Raises
    ------
    ConfigError
        The compiler has no such pass.
    InvalidProblem
        The program is no bitcode.
    """
    dash = "-" if compiler.actions[0].startswith("-") else ""
    try:
        found = defined_functions(program.bitcode)
    except InvalidProblem as error:
        raise InvalidProblem(f"{program.name}: {error}") from error
    modules = ((function.name, alone(program.bitcode, found, function)) for function in found)
    return _cleaned(program, compiler, modules, [f"{dash}{name}" for name in _DROPPING], least, most)


_DROPPING = ("elim-avail-extern", "globaldce", "strip-dead-prototypes")


def _cleaned(
    program: Program,
    compiler: Compiler,
    modules: Iterable[tuple[str, bytes]],
    passes: Sequence[str],
    least: int,
    most: int,
) -> Programs:
    """Programs of modules that hold what nothing needs any more."""
    clean = indices(compiler, passes)
    kept: list[Program] = []
    refused: dict[str, str] = {}
    for function, module in modules:
        name = f"{program.name}/{printable(function)}"
        try:
            state = compiler.load(module, name)
            if state.count() < least:
                continue
            for action in clean:
                state = state.apply(action)
            if least <= state.count() <= most:
                kept.append(Program(name, program.family, state.bitcode()))
        except (InvalidProblem, PassFailure) as error:
            refused[name] = str(error)
    return Programs(tuple(kept), refused)
