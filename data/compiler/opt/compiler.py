"""The back end of whatever LLVM is installed: one ``opt`` of version 19 or newer for each sequence."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, CountKind, Fingerprint
from data.compiler.contained import ContainedCompiler, ContainedState, listing_of
from data.compiler.counts import counts_of
from data.compiler.opt.passes import Counter, looked_at, parse_passes, pipeline
from data.compiler.opt.worker import serve_opt
from data.compiler.program_graph import ProgramGraph, program_graph
from runs import child
from runs.errors import MissingDependency, require

_LEVELS = ("O1", "O2", "O3", "Os", "Oz")
_PROBE = "define void @probe() {\n  ret void\n}\n"
_SECONDS = 20.0
_REMEDY = "name one of LLVM 19 or newer by compiler.opt=PATH, or take compiler=llvmlite"


class OptCompiler(ContainedCompiler):
    """See :class:`data.compiler.contained.ContainedCompiler`. Each state is computed from the program's beginning.

    Parameters
    ----------
    opt
        The program, on the PATH or by its path.
    cpu_seconds, memory_gib
        Limits.

    Raises
    ------
    ConfigError
        A limit is too small.
    MissingDependency
        There is no such program, or it is too old to tell counts.
    """

    size_level = "Oz"
    level_passes = {"O0": (), **{level: (f"default<{level}>",) for level in _LEVELS}}  # noqa: RUF012
    inputs = "bitcode (.bc) or IR (.ll)"

    def __init__(self, opt: str = "opt", cpu_seconds: float = 10.0, memory_gib: float | None = 4.0) -> None:
        super().__init__(cpu_seconds, memory_gib)
        self.opt = opt
        version = _version(opt)
        self.reads = int(version.partition(".")[0])
        _probe(opt, version, [], {})
        known = parse_passes(_printed(opt, "--print-passes").decode(errors="replace"))
        self.known = _usable(opt, version, known)
        self.fingerprint = Fingerprint("opt", f"LLVM {version}", "passes", tuple(self.known))

    def command_line(self, actions: Actions) -> str:
        """See :meth:`data.compiler.base.Compiler.command_line`."""
        return (
            f"opt -passes='{pipeline([self.actions[action] for action in actions], self.known)}' input.bc -o output.bc"
        )

    def _child_function(self) -> Callable[[Connection], None]:
        return serve_opt

    def _begin(self, folder: Path) -> tuple[Any, ...]:
        return self.opt, self.known, str(folder)

    def _counts(self, state: ContainedState, kind: CountKind) -> Int[np.ndarray, " counts"]:
        require("llvmlite.binding", "compiler")
        return counts_of(listing_of(state), kind)

    def _graph(self, state: ContainedState) -> ProgramGraph:
        require("llvmlite.binding", "compiler")
        return program_graph(listing_of(state))


def _printed(opt: str, *arguments: str) -> bytes:
    return child.run([opt, *arguments], seconds=_SECONDS, limits=child.Limits(), remedy=_REMEDY).output


def _version(opt: str) -> str:
    try:
        found = re.search(rb"LLVM version (\d+[\w.]*)", _printed(opt, "--version"))
    except child.ChildFailure as error:
        raise MissingDependency(f"compiler.opt: {opt} is no opt ({error}); {_REMEDY}") from error
    if found is None:
        raise MissingDependency(f"compiler.opt: {opt} does not say its version of LLVM; {_REMEDY}")
    return found[1].decode()


def _probe(opt: str, version: str, passes: Sequence[str], known: dict[str, str]) -> None:
    """Let it count a module of one instruction between passes; an error where it does not."""
    counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.ll")
        source.write_text(_PROBE)
        command = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&1', opt, "-disable-output", str(source)]
        try:
            printed = child.run(
                [*command, f"-passes={looked_at(passes, known)}"],
                seconds=_SECONDS,
                limits=child.Limits(),
                remedy=_REMEDY,
            )
            for line in printed.output.decode(errors="replace").splitlines():
                counter.hear(line)
            counter.end()
            said = f"it counts {counter.counts or 'nothing'} in a module of one instruction"
        except child.ChildFailure as error:
            said = error.printed.last_words
    if counter.counts[:1] != [1] or len(counter.counts) != len(passes) + 1:
        raise MissingDependency(
            f"compiler.opt: {opt} is LLVM {version}, which does not tell counts ({said}); {_REMEDY}"
        )


def _usable(opt: str, version: str, known: dict[str, str]) -> dict[str, str]:
    """Those that run on their own: lists of other versions have passes that need parameters or a machine."""
    try:
        _probe(opt, version, list(known), known)
        return known
    except MissingDependency:
        pass
    usable = {}
    for name, said in known.items():
        try:
            _probe(opt, version, [name], known)
            usable[name] = said
        except MissingDependency:
            continue
    return usable
