"""What all compilers share: one child that alone reads programs and runs passes, and what is known of its failures."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, CountKind, Failure, Fingerprint, PassFailure, Trajectory
from data.compiler.bitcode import producer
from data.compiler.compiler_child import CompilerChild, Dead
from data.compiler.counts import COUNTS
from data.compiler.listing import Listing
from data.compiler.prefixes import PrefixTree
from data.compiler.program_graph import ProgramGraph
from data.compiler.requests import DONE, GROWN, SKIPPED, STEP, Node
from runs import child
from runs.errors import ConfigError, InvalidProblem, MissingDependency, at_least, nearest
from runs.store.cache import npz_arrays
from runs.text import one_line, shortened

GROWTH = 10
GRACE = 500
"""A sequence ends where it leaves more than ``GROWTH`` times the instructions of its start and ``GRACE`` others."""
ATTEMPTS = 3
"""Children that must die of a pass before it has failed: some passes abort or not as memory happens to be laid out."""
MODULES = 64
"""Programs of which the beginning is known without asking the child."""


class ContainedCompiler(ABC):
    """See :class:`data.compiler.base.Compiler`. The same request has the same answer, always.

    A child is started at the first request, and again after one has died. What has failed is not tried again.

    Parameters
    ----------
    cpu_seconds
        For one pass, or for reading one program.
    memory_gib
        Address space of the child; None for no limit.

    Raises
    ------
    ConfigError
        A limit is too small.
    """

    fingerprint: Fingerprint
    size_level: str
    level_passes: Mapping[str, tuple[str, ...]]
    """What the child runs for each of the compiler's own levels."""
    reads: int
    """Newest major version of LLVM whose bitcode it is known to read."""
    inputs: str
    """What it reads, for messages."""
    only_counts_levels: bool = False
    """It tells what its own levels leave, and not the module."""

    def __init__(self, cpu_seconds: float, memory_gib: float | None) -> None:
        at_least("compiler.", cpu_seconds=(cpu_seconds, 1), memory_gib=(memory_gib, 0.5))
        self.levels = tuple(self.level_passes)
        self.cpu_seconds = cpu_seconds
        self.limits = child.Limits(memory_bytes=None if memory_gib is None else int(memory_gib * 2**30))
        self._known: OrderedDict[str, _Program] = OrderedDict()
        self._child: CompilerChild | None = None

    @abstractmethod
    def command_line(self, actions: Actions) -> str:
        """See :meth:`data.compiler.base.Compiler.command_line`."""

    @abstractmethod
    def _child_function(self) -> Callable[[Connection], None]:
        """What the child does; see :mod:`data.compiler.requests`."""

    @abstractmethod
    def _begin(self, folder: Path) -> tuple[Any, ...]:
        """What its worker is made of; ``folder`` is empty and its own, and goes with it."""

    @abstractmethod
    def _counts(self, state: ContainedState, kind: CountKind) -> Int[np.ndarray, " counts"]:
        """See :meth:`data.compiler.base.State.counts`."""

    @abstractmethod
    def _graph(self, state: ContainedState) -> ProgramGraph:
        """See :meth:`data.compiler.base.State.graph`."""

    @property
    def actions(self) -> tuple[str, ...]:
        """See :class:`data.compiler.base.Compiler`."""
        return self.fingerprint.actions

    def load(self, bitcode: bytes, name: str = "program") -> ContainedState:
        """Bitcode, or IR as text, in UTF-8.

        Raises
        ------
        InvalidProblem
            It is neither, was cut off or written by a newer LLVM, makes the parser abort, or defines no function.
        """
        program = self._program(bitcode, name)
        return ContainedState(self, program, (), program.count)

    def trajectories(self, bitcode: bytes, sequences: Sequence[Actions], name: str = "program") -> list[Trajectory]:
        """See :class:`data.compiler.base.Compiler`.

        Raises
        ------
        ConfigError
            A sequence has an unknown action.
        InvalidProblem
            See :meth:`load`.
        """
        for sequence in sequences:
            if wrong := [action for action in sequence if not 0 <= action < len(self.actions)]:
                raise ConfigError(f"{self.fingerprint} has no action {wrong[0]}; they are numbered from 0")
        program = self._program(bitcode, name)
        tree = PrefixTree(sequences)
        counts, failures = self._walk(program, tree, self.actions)
        return [
            Trajectory((program.count, *(counts[node] for node in path if node in counts)), failure)
            for path in tree.paths
            for failure in [next((failures[node] for node in path if node in failures), None)]
        ]

    def reference(self, bitcode: bytes, level: str | None = None, name: str = "program") -> int:
        """See :class:`data.compiler.base.Compiler`.

        Raises
        ------
        ConfigError
            There is no such level.
        InvalidProblem
            See :meth:`load`; or the level itself failed.
        """
        names = self._level(level)
        program = self._program(bitcode, name)
        counts, failures = self._walk(program, PrefixTree([tuple(range(len(names)))]), names)
        if failures:
            failure = next(iter(failures.values()))
            raise InvalidProblem(f"{name}: {failure} at {level or self.size_level}; leave this program out")
        return counts[len(names) - 1] if names else program.count

    def at_level(self, bitcode: bytes, level: str | None = None, name: str = "program") -> bytes:
        """See :class:`data.compiler.base.Compiler`.

        Raises
        ------
        ConfigError
            There is no such level.
        InvalidProblem
            See :meth:`load`; or the level itself failed, or the compiler only counts what it leaves.
        """
        names = self._level(level)
        if names and self.only_counts_levels:
            level = level or self.size_level
            raise InvalidProblem(
                f"{self.fingerprint} tells how many instructions {level} leaves of {name}, not the module"
            )
        program = self._program(bitcode, name)
        try:
            return self._show(program, tuple(range(len(names))), "bitcode", names)
        except PassFailure as failure:
            level = level or self.size_level
            raise InvalidProblem(f"{name}: {failure.failure} at {level}; leave this program out") from failure

    def _level(self, level: str | None) -> tuple[str, ...]:
        level = level or self.size_level
        if level not in self.levels:
            raise ConfigError(f"compiler: {self.fingerprint} has no level '{level}'{nearest(level, self.levels)}")
        return self.level_passes[level]

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_child": None}  # a copy in another process has a child of its own

    def _program(self, bitcode: bytes, name: str) -> _Program:
        digest = hashlib.sha256(bitcode).hexdigest()
        if digest in self._known:
            self._known.move_to_end(digest)
        else:
            self._known[digest] = _Program(digest, bitcode, name, self._loaded(digest, bitcode, name), {})
            while len(self._known) > MODULES:
                self._known.popitem(last=False)
        return self._known[digest]

    def _loaded(self, digest: str, bitcode: bytes, name: str) -> int:
        """The number of instructions, as the child has found it; an error for what is no program."""
        if self._child is not None and self._child.worn:
            self.close()
        worker = self._worker()
        worker.ask("load", self.cpu_seconds, digest, bitcode)
        try:
            answer = json.loads(worker.hear(self.cpu_seconds))
        except Dead as dead:
            self.close()
            answer = {"error": f"its reader did not survive: {dead}"}
        if "error" in answer:
            raise InvalidProblem(f"{name}: {_explained(answer['error'], bitcode, self)}")
        if not answer["count"]:
            raise InvalidProblem(f"{name} defines no function, so there is nothing to optimise; leave it out")
        worker.loaded(digest)
        worker.worn = answer["worn"]
        return int(answer["count"])

    def _about(self, what: str) -> dict[str, Any]:
        """What the child has found; an error where it does not work."""
        worker = self._worker()
        worker.ask("about", self.cpu_seconds)
        try:
            return json.loads(worker.hear(self.cpu_seconds))
        except Dead as dead:
            self.close()
            raise MissingDependency(f"{what} does not work here: {dead}") from None

    def _walk(
        self, program: _Program, tree: PrefixTree, names: Sequence[str]
    ) -> tuple[dict[int, int], dict[int, Failure]]:
        """Counts of the nodes that were reached, and failures of those at which a sequence ended."""
        counts: dict[int, int] = {}
        failures: dict[int, Failure] = {}
        deaths: Counter[int] = Counter()
        if program.failures:
            for node in range(len(tree)):
                if known := program.failures.get(tuple(names[action] for action in tree.prefix(node))):
                    failures[node] = known
        while missing := [node for node in tree.without_what_follows(failures) if node not in counts]:
            nodes = tree.with_ancestors(missing)
            steps: list[Node] = [(node, tree.parents[node], names[tree.actions[node]]) for node in nodes]
            for node, end in self._steps(program, counts, nodes, "walk", program.most, steps).items():
                deaths[node] += 1
                if (
                    end.by_chance and deaths[node] < ATTEMPTS
                ):  # a new child begins with what leads to it, and nothing else
                    continue
                prefix = tree.prefix(node)
                failures[node] = Failure(prefix, names[prefix[-1]], end.cause)
                program.failures[tuple(names[action] for action in prefix)] = failures[node]
        return counts, failures

    def _steps(
        self, program: _Program, counts: dict[int, int], nodes: Sequence[int], request: str, *arguments: Any
    ) -> dict[int, _End]:
        """Add the counts that the child streams, and return at which nodes it ended; the last of them is where it died."""
        self._hold(program)
        worker = self._worker()
        worker.ask(request, self.cpu_seconds, program.digest, *arguments)
        ended: dict[int, _End] = {}
        position = 0  # of the next in ``nodes``
        while True:
            try:
                answer = worker.hear(self.cpu_seconds)
            except Dead as dead:
                self.close()
                return ended | {nodes[position]: _End(str(dead), dead.by_chance)}
            if answer == DONE:
                return ended
            node, count = STEP.unpack(answer)
            position = nodes.index(node, position) + 1
            if count == GROWN:
                ended[node] = _End(f"it left more than {program.most} instructions of {program.count}")
            elif count != SKIPPED:
                counts[node] = count

    def _hold(self, program: _Program) -> None:
        """Let the child have the program."""
        if not self._worker().holds(program.digest):
            self._loaded(program.digest, program.bitcode, program.name)

    def _worker(self) -> CompilerChild:
        if self._child is None:
            self._child = CompilerChild(self._child_function(), self._begin, self.limits)
        return self._child

    def _advance(self, program: _Program, prefix: Actions, known_as: Sequence[str] | None = None) -> int:
        """The count after a prefix, whose last module the child then holds; names of actions may be other ones."""
        names = tuple((known_as or self.actions)[action] for action in prefix)
        if known := program.failures.get(names):
            raise PassFailure(known)
        for attempt in range(1, ATTEMPTS + 1):
            counts: dict[int, int] = {}
            ended = self._steps(program, counts, [*range(len(prefix))], "hold", names, program.most)
            if not ended:
                return counts[len(prefix) - 1]
            node, end = next(iter(ended.items()))
            if not end.by_chance or attempt == ATTEMPTS:
                break
        failure = program.failures[names[: node + 1]] = Failure(prefix[: node + 1], names[node], end.cause)
        raise PassFailure(failure)

    def _show(self, program: _Program, prefix: Actions, kind: str, known_as: Sequence[str] | None = None) -> bytes:
        """What the child has to say of a state."""
        self._hold(program)
        if prefix:
            self._advance(program, prefix, known_as)
        names = tuple((known_as or self.actions)[action] for action in prefix)
        worker = self._worker()
        worker.ask("show", self.cpu_seconds, program.digest, names, kind)
        try:
            return worker.hear(self.cpu_seconds)
        except Dead as dead:
            self.close()
            raise InvalidProblem(f"{program.name}: its {kind} cannot be had ({dead}); leave it out") from None


class ContainedState:
    """See :class:`data.compiler.base.State`: a program, and the passes that were applied to it."""

    def __init__(self, compiler: ContainedCompiler, program: _Program, prefix: Actions, count: int) -> None:
        self._compiler, self._program, self._count = compiler, program, count
        self.prefix = prefix

    def apply(self, action: int) -> ContainedState:
        """The state after one more pass.

        Raises
        ------
        ConfigError
            There is no such action.
        PassFailure
            The pass aborts, exceeds a limit, or leaves a module that has grown too much.
        """
        if not 0 <= action < len(self._compiler.actions):
            raise ConfigError(f"{self._compiler.fingerprint} has no action {action}; they are numbered from 0")
        prefix = (*self.prefix, action)
        return ContainedState(self._compiler, self._program, prefix, self._compiler._advance(self._program, prefix))

    def count(self) -> int:
        """Instructions of all functions that it defines."""
        return self._count

    @property
    def name(self) -> str:
        """Of the program."""
        return self._program.name

    def bitcode(self) -> bytes:
        """The module itself."""
        return self.show("bitcode")

    def text(self) -> str:
        """The module as LLVM prints it."""
        return self.show("text").decode()

    def counts(self, kind: CountKind) -> Int[np.ndarray, " counts"]:
        """See :meth:`data.compiler.base.State.counts`.

        Raises
        ------
        ConfigError
            There is no such kind.
        InvalidProblem
            See :meth:`show`.
        """
        if kind not in COUNTS:
            raise ConfigError(f"there are no counts '{kind}'{nearest(kind, list(COUNTS))}")
        return self._compiler._counts(self, kind)

    def graph(self) -> ProgramGraph:
        """See :meth:`data.compiler.base.State.graph`."""
        return self._compiler._graph(self)

    def show(self, kind: str) -> bytes:
        """What the child has to say of it.

        Raises
        ------
        InvalidProblem
            The child did not survive that.
        """
        return self._compiler._show(self._program, self.prefix, kind)


def listing_of(state: ContainedState) -> Listing:
    """What the module consists of, where the child can list it; an error where it answers nonsense."""
    try:
        return Listing(**npz_arrays(state.show("listing")))
    except (ValueError, TypeError) as error:
        raise InvalidProblem(f"{state.name}: its parts cannot be had ({error}); leave it out") from error


@dataclass(frozen=True)
class _Program:
    """A module as it was given, and the sequences of passes that are known to fail on it."""

    digest: str
    bitcode: bytes
    name: str
    count: int
    failures: dict[tuple[str, ...], Failure]

    @property
    def most(self) -> int:
        return GROWTH * self.count + GRACE


class _End(NamedTuple):
    """Why a sequence ends at a node."""

    cause: str
    by_chance: bool = False


def _explained(error: str, bitcode: bytes, compiler: ContainedCompiler) -> str:
    """What LLVM's reader complains of, and what to do."""
    version, reads = compiler.fingerprint.version, compiler.reads
    said = shortened(one_line(error), 300)
    made = producer(bitcode)
    if made and made > reads:
        return (
            f"its bitcode is of LLVM {made}, newer than {version} that should read it ({said}); compile it with clang "
            f"{reads} or older"
        )
    return f"{version} cannot read it ({said}); give {compiler.inputs}, whole as it was compiled"
