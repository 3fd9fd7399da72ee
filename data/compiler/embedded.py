"""The back end that needs nothing but ``pip install``: LLVM inside llvmlite, in a child process."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, CountKind, Fingerprint
from data.compiler.contained import ContainedCompiler, ContainedState, listing_of
from data.compiler.counts import counts_of
from data.compiler.passes import REFERENCES, Space, action_names
from data.compiler.program_graph import ProgramGraph, program_graph
from data.compiler.worker import serve_llvmlite
from runs.errors import require


class LlvmliteCompiler(ContainedCompiler):
    """See :class:`data.compiler.contained.ContainedCompiler`. It has no level of size; ``Oz*`` stands for it.

    Parameters
    ----------
    space
        Its actions: ``single`` passes, with pipelines of each ``function``, or also of the module (``pipeline``).
    cpu_seconds, memory_gib
        Limits.

    Raises
    ------
    ConfigError
        There is no such action space, or a limit is too small.
    MissingDependency
        llvmlite is absent.
    """

    size_level = "Oz*"
    level_passes = REFERENCES
    inputs = "bitcode (.bc) or IR (.ll)"

    def __init__(self, space: Space = "pipeline", cpu_seconds: float = 10.0, memory_gib: float | None = 4.0) -> None:
        super().__init__(cpu_seconds, memory_gib)
        major, *rest = require("llvmlite.binding", "compiler").llvm_version_info
        self.reads = major
        version = ".".join(map(str, (major, *rest)))
        self.fingerprint = Fingerprint("llvmlite", f"LLVM {version}", space, action_names(space))

    def command_line(self, actions: Actions) -> str:
        """See :meth:`data.compiler.base.Compiler.command_line`; no program takes these names."""
        return " ".join(self.actions[action] for action in actions)

    def _child_function(self) -> Callable[[Connection], None]:
        return serve_llvmlite

    def _begin(self, folder: Path) -> tuple[Any, ...]:
        return ()

    def _counts(self, state: ContainedState, kind: CountKind) -> Int[np.ndarray, " counts"]:
        return counts_of(listing_of(state), kind)

    def _graph(self, state: ContainedState) -> ProgramGraph:
        return program_graph(listing_of(state))
