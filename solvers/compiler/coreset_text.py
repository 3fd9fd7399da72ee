"""Sequences as plain text: those that were published, and any as commands of a compiler."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.compiler.base import Actions, Compiler, indices
from data.download import DataFile
from runs.errors import InvalidProblem
from runs.files import atomic_write
from runs.text import printable, shortened

_RENAMED = {
    "die": "dce",
    "early-cse-memssa": "early-cse",
    "flattencfg": "flatten-cfg",
    "functionattrs": "function-attrs",
    "ipconstprop": "ipsccp",
    "loop-guard-widening": "guard-widening",
    "loop-unswitch": "simple-loop-unswitch",
    "lowerinvoke": "lower-invoke",
}
_SEQUENCE = re.compile(r"\(\s*\d+\s*(,\s*\d+\s*)*,?\s*\)")


@dataclass(frozen=True)
class PublishedCoreset:
    """Sequences of numbers, one a line as ``(48, 112, 46)``, with the names that these numbers stand for.

    The names are those of LLVM 10's passes, which CompilerGym's service offers.

    Parameters
    ----------
    path
        The sequences.
    names
        A file of names, one a line; the first has number 0.
    translate
        For an ``opt`` of today: by the names that passes have there, without those that are gone.
    """

    path: str
    names: str
    translate: bool = False

    def find(self, compiler: Compiler) -> tuple[Actions, ...]:
        """The sequences, in the order of the file.

        Raises
        ------
        ConfigError
            A file is missing, or the compiler has no such pass.
        InvalidProblem
            A line is no sequence, or a number stands for no name.
        """
        names = DataFile(self.names).find().read_text(encoding="utf-8").split()
        found: list[Actions] = []
        path = DataFile(self.path).find()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            where = f"{printable(str(path))}, line {number}"
            if not line.strip():
                continue
            if not _SEQUENCE.fullmatch(line.strip()):
                said = shortened(printable(line), 40)
                raise InvalidProblem(f"{where}: expected a sequence as (48, 112, 46), found '{said}'")
            numbers = [int(word) for word in re.findall(r"\d+", line)]
            if max(numbers) >= len(names):
                raise InvalidProblem(
                    f"{where}: {max(numbers)} stands for none of the {len(names)} names in {self.names}"
                )
            passes = [names[i] for i in numbers]
            if self.translate:
                passes = [name for name in map(_translated, passes) if name in compiler.actions]
            if passes:
                found.append(indices(compiler, passes))
        if not found:
            raise InvalidProblem(
                f"{printable(str(path))} holds no sequence for {compiler.fingerprint}; expected lines as (48, 112, 46)"
            )
        return tuple(found)


def _translated(name: str) -> str:
    """A pass of LLVM 10 as it, or what has come in its place, is called today."""
    bare = name.removeprefix("-")
    return _RENAMED.get(bare, bare)


def write_text(path: Path | str, sequences: Sequence[Actions], compiler: Compiler) -> None:
    """Write sequences in their order, each as the command that applies it (``opt -mem2reg -gvn input.bc -o output.bc``).

    Raises
    ------
    OSError
        The disk refused.
    """
    lines = [compiler.command_line(sequence) for sequence in sequences]
    atomic_write(path, "".join(f"{line}\n" for line in lines).encode())
