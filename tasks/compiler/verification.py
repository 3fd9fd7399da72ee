"""Whether an optimised program still is what it was (docs/compilers.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.machine_code import object_file
from runs import child
from runs.errors import ConfigError, InvalidProblem, at_least, nearest

How = Literal["none", "verifier", "run"]
HOW: tuple[How, ...] = ("none", "verifier", "run")
_MEMORY = 2 << 30


class Verification:
    """Compares a program before and after.

    Parameters
    ----------
    how
        ``verifier``: LLVM's, which reads the result. ``run``: both are also linked, and must print the same and end with the
        same code. ``none``: nothing.
    arguments
        Of the program that is run, a list for each time that it is.
    linker
        A compiler that links.
    seconds
        Limit of each run.

    Raises
    ------
    ConfigError
        There is no such way, or the limit is too small.
    """

    def __init__(
        self,
        how: How = "verifier",
        arguments: Sequence[Sequence[str]] = ((),),
        linker: str = "cc",
        seconds: float = 10.0,
    ) -> None:
        if how not in HOW:
            raise ConfigError(f"task.verify is '{how}'{nearest(how, HOW)}")
        at_least("task.verification.", seconds=(seconds, 0.1))
        self.how, self.arguments, self.linker, self.seconds = how, arguments, linker, seconds

    def difference(self, before: bytes, after: bytes, compiler: LlvmliteCompiler, name: str) -> str | None:
        """What has changed that must not, in words; None where nothing was found.

        Raises
        ------
        MissingDependency
            There is no linker.
        InvalidProblem
            The program as it was cannot be linked or run.
        """
        if self.how == "none":
            return None
        try:
            compiler.load(after, name)
        except InvalidProblem as error:
            return f"LLVM's verifier refuses it: {error}"
        return self._of_runs(before, after, compiler, name) if self.how == "run" else None

    def _of_runs(self, before: bytes, after: bytes, compiler: LlvmliteCompiler, name: str) -> str | None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            first = self._linked(before, folder / "before", compiler, name)
            try:
                second = self._linked(after, folder / "after", compiler, name)
            except InvalidProblem as error:
                return str(error)
            for given in self.arguments:
                expected, found = (self._answer([program, *given], folder) for program in (first, second))
                if expected != found:
                    shown = " ".join(given) or "no arguments"
                    return f"with {shown} it printed {found[1][:80]!r} and ended with {found[0]}, not {expected}"
        return None

    def _linked(self, bitcode: bytes, path: Path, compiler: LlvmliteCompiler, name: str) -> Path:
        (path.parent / f"{path.name}.o").write_bytes(object_file(bitcode, compiler, name))
        limits = child.Limits(cpu_seconds=60, memory_bytes=_MEMORY)
        command = [self.linker, f"{path}.o", "-o", str(path), "-lm"]
        try:
            child.run(command, seconds=60, limits=limits, remedy="give task.verification.linker")
        except child.ChildFailure as failure:
            raise InvalidProblem(
                f"{name} cannot be linked ({failure}); to compare runs it must have a main"
            ) from failure
        return path

    def _answer(self, command: Sequence[str | Path], folder: Path) -> tuple[str, bytes]:
        """How a program ended, and what it printed."""
        limits = child.Limits(cpu_seconds=max(1, round(self.seconds)), memory_bytes=_MEMORY, output_bytes=1 << 24)
        try:
            printed = child.run(command, seconds=self.seconds, limits=limits, folder=folder)
        except child.ChildFailure as failure:
            return failure.limit or f"code {failure.code}", failure.printed.output
        return "code 0", printed.output
