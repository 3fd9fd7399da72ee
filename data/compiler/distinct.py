"""Programs that differ in more than names: the same function stands in many files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.functions import normalised
from data.compiler.program import Program, Programs


def distinct(programs: Iterable[Program], compiler: LlvmliteCompiler, seen: dict[str, str] | None = None) -> Programs:
    """The first of those that are equal up to names; the others are refused.

    Parameters
    ----------
    programs
        In order.
    compiler
        Prints them.
    seen
        Names by digests of what was kept before (another part of a split, say); what is kept now is added.
    """
    seen = {} if seen is None else seen
    kept: list[Program] = []
    refused: dict[str, str] = {}
    for program in programs:
        text = normalised(compiler.load(program.bitcode, program.name).text())
        digest = hashlib.sha256(text.encode()).hexdigest()
        first = seen.setdefault(digest, program.name)
        if first == program.name:
            kept.append(program)
        else:
            refused[program.name] = f"{program.name} is {first} under other names"
    return Programs(tuple(kept), refused)
