"""What a compiler asks of its child, and how the child answers.

Requests are tuples of a parent that is trusted; answers are bytes without pickle, since whoever fed the child bad bitcode
might speak through it. The first message is what the worker is made of; each later one is a request and the seconds of CPU
time that every step of it may use.

=========================================== =====================================================================
request                                     answers
=========================================== =====================================================================
``load, digest, bitcode``                   ``{"count": ..., "worn": ...}`` or ``{"error": ...}``, JSON
``walk, digest, most, nodes``               ``(node, count)`` by :data:`STEP` for each node as it is reached, then ``DONE``
``hold, digest, prefix, most``              the same, the steps of one sequence; its last module is kept
``show, digest, prefix, kind``              bytes
=========================================== =====================================================================
"""

from __future__ import annotations

import json
import struct
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, Protocol, TypeVar

Module = TypeVar("Module")

STEP = struct.Struct("<qq")
DONE = STEP.pack(-1, 0)
GROWN, SKIPPED = -1, -2
"""In place of a count that exceeds the limit, and of those after it."""
LOADED = 16
HELD = 256
"""Modules that a child keeps: as they were loaded, and on their way."""

Node = tuple[int, int, str]
"""Its number, its parent's (-1 for none), and its pass. Parents come first, and what begins with a node right after it."""


class Unreadable(Exception):
    """What was to be loaded is no module; the message is the compiler's."""


class Worker(Protocol):
    """Answers requests, in a child process."""

    def load(self, seconds: float, digest: str, bitcode: bytes) -> None:
        """See above."""

    def walk(self, seconds: float, digest: str, most: int, nodes: list[Node]) -> None:
        """See above."""

    def hold(self, seconds: float, digest: str, prefix: tuple[str, ...], most: int) -> None:
        """See above."""

    def show(self, seconds: float, digest: str, prefix: tuple[str, ...], kind: str) -> None:
        """See above."""


def serve(connection: Connection, make: Callable[..., Worker]) -> None:
    """Answer requests until the other end of the pipe is closed."""
    worker = make(connection, *connection.recv())
    while True:
        try:
            request, *arguments = connection.recv()
        except EOFError:
            return
        getattr(worker, request)(*arguments)


def say(connection: Connection, answer: dict[str, Any]) -> None:
    """Send JSON."""
    connection.send_bytes(json.dumps(answer).encode())


class ModuleWorker(ABC, Generic[Module]):
    """A worker whose modules are copied, and changed in place by one pass after the other."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.loaded: OrderedDict[str, Module] = OrderedDict()
        self.held: OrderedDict[tuple[str, tuple[str, ...]], Module] = OrderedDict()

    @abstractmethod
    def read(self, digest: str, bitcode: bytes) -> Module:
        """The module; raises :class:`Unreadable`."""

    @abstractmethod
    def copy(self, module: Module) -> Module:
        """Another that is equal."""

    @abstractmethod
    def drop(self, module: Module) -> None:
        """It is not needed any more."""

    @abstractmethod
    def count(self, module: Module) -> int:
        """Its instructions."""

    @abstractmethod
    def step(self, name: str, module: Module) -> int:
        """Apply a pass; the instructions afterwards."""

    @abstractmethod
    def look(self, kind: str, module: Module) -> bytes:
        """What ``show`` shows."""

    @abstractmethod
    def worn(self) -> bool:
        """Whether it holds so much memory that another child should go on."""

    @abstractmethod
    def allow(self, seconds: float) -> None:
        """Let what comes next use so much CPU time."""

    def load(self, seconds: float, digest: str, bitcode: bytes) -> None:
        self.allow(seconds)
        try:
            module = self.read(digest, bitcode)
        except Unreadable as error:
            say(self.connection, {"error": str(error)})
            return
        self._keep(self.loaded, digest, module, LOADED)
        say(self.connection, {"count": self.count(module), "worn": self.worn()})

    def walk(self, seconds: float, digest: str, most: int, nodes: list[Node]) -> None:
        """Depth first; a module is copied only where more than one pass goes on from it."""
        ahead = [0] * len(nodes)  # how many nodes still go on from each
        place = {node: i for i, (node, _, _) in enumerate(nodes)}
        for _, parent, _ in nodes:
            if parent >= 0:
                ahead[place[parent]] += 1
        modules: dict[int, Module] = {}
        lost: set[int] = set()
        for i, (node, parent, name) in enumerate(nodes):
            if parent >= 0:
                ahead[place[parent]] -= 1
            if parent in lost:
                lost.add(node)
                self.connection.send_bytes(STEP.pack(node, SKIPPED))
                continue
            last = parent >= 0 and not ahead[place[parent]]
            module = modules.pop(parent) if last else self.copy(modules[parent] if parent >= 0 else self.loaded[digest])
            self.allow(seconds)
            count = self.step(name, module)
            if count > most:
                lost.add(node)
                count = GROWN
            if ahead[i] and count != GROWN:
                modules[node] = module
            else:
                self.drop(module)
            self.connection.send_bytes(STEP.pack(node, count))
        self.connection.send_bytes(DONE)

    def hold(self, seconds: float, digest: str, prefix: tuple[str, ...], most: int) -> None:
        """The last step of the longest beginning that is held, and those that follow."""
        start = next(n for n in range(len(prefix), -1, -1) if n == 0 or (digest, prefix[:n]) in self.held)
        if start:
            self.connection.send_bytes(STEP.pack(start - 1, self.count(self._module(digest, prefix[:start]))))
        if start < len(prefix):
            module = self.copy(self._module(digest, prefix[:start]))
            for i in range(start, len(prefix)):
                self.allow(seconds)
                count = self.step(prefix[i], module)
                if count > most:
                    self.connection.send_bytes(STEP.pack(i, GROWN))
                    self.drop(module)
                    break
                self.connection.send_bytes(STEP.pack(i, count))
            else:
                self._keep(self.held, (digest, prefix), module, HELD)
        self.connection.send_bytes(DONE)

    def show(self, seconds: float, digest: str, prefix: tuple[str, ...], kind: str) -> None:
        self.allow(seconds)
        self.connection.send_bytes(self.look(kind, self._module(digest, prefix)))

    def _module(self, digest: str, prefix: tuple[str, ...]) -> Module:
        return self.held[digest, prefix] if prefix else self.loaded[digest]

    def _keep(self, kept: OrderedDict, key: object, module: Module, most: int) -> None:
        kept[key] = module
        while len(kept) > most:
            self.drop(kept.popitem(last=False)[1])
