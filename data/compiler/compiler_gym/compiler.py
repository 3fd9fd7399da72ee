"""The back end of the paper: LLVM 10, with the passes of CompilerGym."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, CountKind, Fingerprint
from data.compiler.compiler_gym.layout import Layout, default_folder
from data.compiler.compiler_gym.programl import read_programl
from data.compiler.compiler_gym.worker import LEVELS, serve_service
from data.compiler.contained import ContainedCompiler, ContainedState
from data.compiler.counts import COUNTS
from data.compiler.program_graph import ProgramGraph
from runs.errors import InvalidProblem, MissingDependency, installing


class ServiceCompiler(ContainedCompiler):
    """See :class:`data.compiler.contained.ContainedCompiler`. It reads bitcode only.

    Parameters
    ----------
    service
        Folder that ``make compiler-gym`` has filled; None for its default.
    cpu_seconds, memory_gib
        Limits.

    Raises
    ------
    ConfigError
        A limit is too small.
    MissingDependency
        The service is not laid out there, does not run here, or grpcio or protobuf is absent.
    """

    size_level = "Oz"
    level_passes = LEVELS
    only_counts_levels = True
    reads = 13  # what clang 13 writes it reads, what clang 14 writes it does not
    inputs = "bitcode (.bc; of IR as text llvm-as 13 makes it)"

    def __init__(
        self, service: Path | str | None = None, cpu_seconds: float = 10.0, memory_gib: float | None = 4.0
    ) -> None:
        super().__init__(cpu_seconds, memory_gib)
        self.layout = Layout(Path(service or default_folder()).expanduser().absolute()).check()
        for module in ("google", "google.protobuf", "grpc"):  # found, not imported: a channel does not survive a fork
            if importlib.util.find_spec(module) is None:
                raise MissingDependency(
                    f"{module} is not installed. It comes with the extra 'compiler-gym': {installing('compiler-gym')}"
                )
        about = self._about(f"the service of LLVM 10 in {self.layout.folder}")
        version, space, actions = about["version"], about["space"], tuple(about["actions"])
        self.fingerprint = Fingerprint("compiler_gym", f"LLVM {version}", space, actions)

    def command_line(self, actions: Actions) -> str:
        """See :meth:`data.compiler.base.Compiler.command_line`; as CompilerGym prints it."""
        return " ".join(["opt", *(self.actions[action] for action in actions), "input.bc", "-o", "output.bc"])

    def _child_function(self) -> Callable[[Connection], None]:
        return serve_service

    def _begin(self, folder: Path) -> tuple[Any, ...]:
        return str(self.layout.folder), str(folder)

    def _counts(self, state: ContainedState, kind: CountKind) -> Int[np.ndarray, " counts"]:
        found = np.frombuffer(state.show(kind), "<i8")
        if len(found) != len(COUNTS[kind]):
            raise InvalidProblem(
                f"{state.name}: its {kind} has {len(found)} counts, not {len(COUNTS[kind])}; leave it out"
            )
        return found

    def _graph(self, state: ContainedState) -> ProgramGraph:
        return read_programl(state.show("graph"), state.name)
