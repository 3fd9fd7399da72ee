"""The child of the llvmlite back end: it alone reads foreign bitcode and runs passes, either of which may abort.

Requests are tuples of a parent that is trusted; answers are bytes without pickle, since whoever fed the child bad bitcode
might speak through it.

=========================================== =====================================================================
request                                     answers
=========================================== =====================================================================
``load, digest, bitcode``                   ``{"count": ...}`` or ``{"error": ...}`` as JSON
``walk, digest, most, nodes``               ``(node, count)`` by :data:`STEP` for each node as it is reached, then ``DONE``
``hold, digest, prefix, most``              the same, the steps of one sequence; its last module is kept
``bitcode, digest, prefix``                 bytes; so do ``text``, and ``listing``, the arrays as ``.npz``
=========================================== =====================================================================
"""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from data.compiler.bitcode import is_bitcode
from data.compiler.counting import instruction_counter
from data.compiler.listing import listing
from data.compiler.passes import Passes
from runs import child_start
from runs.store.cache import npz_bytes

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef

STEP = struct.Struct("<qq")
DONE = STEP.pack(-1, 0)
GROWN, SKIPPED = -1, -2
"""In place of a count that exceeds the limit, and of those after it."""
LOADED = 16
HELD = 256
"""Modules that a child keeps: as they were loaded, and on their way."""

Node = tuple[int, int, str]
"""Its number, its parent's (-1 for none), and its pass. Parents come first, and what begins with a node right after it."""


def serve(connection: Connection) -> None:
    """Answer requests until the other end of the pipe is closed."""
    worker = _Worker(connection)
    while True:
        try:
            request, seconds, *arguments = connection.recv()
        except EOFError:
            return
        worker.seconds = seconds
        getattr(worker, request)(*arguments)


class _Worker:
    def __init__(self, connection: Connection) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_all_targets()
        llvm.initialize_native_asmprinter()
        self.llvm = llvm
        self.connection = connection
        self.seconds = 0.0
        self.count = instruction_counter()
        self.passes: dict[str, Passes] = {}
        self.loaded: OrderedDict[str, ModuleRef] = OrderedDict()
        self.held: OrderedDict[tuple[str, tuple[str, ...]], ModuleRef] = OrderedDict()

    def load(self, digest: str, bitcode: bytes) -> None:
        child_start.allow(self.seconds)
        try:
            binary = is_bitcode(bitcode)
            module = self.llvm.parse_bitcode(bitcode) if binary else self.llvm.parse_assembly(bitcode.decode())
            module.verify()
            self._passes(module)
        except (RuntimeError, UnicodeDecodeError) as error:
            self._say({"error": str(error)})
            return
        self._keep(self.loaded, digest, module, LOADED)
        defined = sum(not function.is_declaration for function in module.functions)
        self._say({"count": self.count(module), "functions": defined})

    def walk(self, digest: str, most: int, nodes: list[Node]) -> None:
        """Depth first; a module is copied only where more than one pass goes on from it."""
        ahead = [0] * len(nodes)  # how many nodes still go on from each
        place = {node: i for i, (node, _, _) in enumerate(nodes)}
        for _, parent, _ in nodes:
            if parent >= 0:
                ahead[place[parent]] += 1
        modules: dict[int, ModuleRef] = {-1: self.loaded[digest]}
        lost: set[int] = set()
        for i, (node, parent, name) in enumerate(nodes):
            if parent in lost:
                lost.add(node)
                self.connection.send_bytes(STEP.pack(node, SKIPPED))
                continue
            if parent < 0:
                module = modules[-1].clone()
            else:
                ahead[place[parent]] -= 1
                module = modules[parent].clone() if ahead[place[parent]] else modules.pop(parent)
            count = self._step(name, module)
            if count > most:
                lost.add(node)
                count = GROWN
            elif ahead[i]:
                modules[node] = module
            self.connection.send_bytes(STEP.pack(node, count))
        self.connection.send_bytes(DONE)

    def hold(self, digest: str, prefix: tuple[str, ...], most: int) -> None:
        """The last step of the longest beginning that is held, and those that follow."""
        start = next(n for n in range(len(prefix), -1, -1) if n == 0 or (digest, prefix[:n]) in self.held)
        module = self._module(digest, prefix[:start]).clone()
        if start:
            self.connection.send_bytes(STEP.pack(start - 1, self.count(module)))
        for i in range(start, len(prefix)):
            count = self._step(prefix[i], module)
            if count > most:
                self.connection.send_bytes(STEP.pack(i, GROWN))
                break
            self.connection.send_bytes(STEP.pack(i, count))
        else:
            self._keep(self.held, (digest, prefix), module, HELD)
        self.connection.send_bytes(DONE)

    def bitcode(self, digest: str, prefix: tuple[str, ...]) -> None:
        child_start.allow(self.seconds)
        self.connection.send_bytes(self._module(digest, prefix).as_bitcode())

    def text(self, digest: str, prefix: tuple[str, ...]) -> None:
        child_start.allow(self.seconds)
        self.connection.send_bytes(str(self._module(digest, prefix)).encode())

    def listing(self, digest: str, prefix: tuple[str, ...]) -> None:
        child_start.allow(self.seconds)
        self.connection.send_bytes(npz_bytes(listing(self._module(digest, prefix)).arrays()))

    def _module(self, digest: str, prefix: tuple[str, ...]) -> ModuleRef:
        return self.held[digest, prefix] if prefix else self.loaded[digest]

    def _step(self, name: str, module: ModuleRef) -> int:
        child_start.allow(self.seconds)
        self._passes(module).run(name, module)
        return self.count(module)

    def _passes(self, module: ModuleRef) -> Passes:
        """Of the module's target, so that counts do not depend on the machine."""
        triple = module.triple or self.llvm.get_default_triple()
        if triple not in self.passes:
            self.passes[triple] = Passes(self.llvm.Target.from_triple(triple).create_target_machine())
        return self.passes[triple]

    @staticmethod
    def _keep(kept: OrderedDict, key: object, module: ModuleRef, most: int) -> None:
        kept[key] = module
        while len(kept) > most:
            kept.popitem(last=False)

    def _say(self, answer: dict[str, object]) -> None:
        self.connection.send_bytes(json.dumps(answer).encode())
