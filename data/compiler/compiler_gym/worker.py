"""The child of the service's back end: it starts the service, and ends when that does."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from data.compiler.compiler_gym.layout import Layout
from data.compiler.compiler_gym.service import ProtocolViolation, Service
from data.compiler.requests import ModuleWorker, say, serve
from runs.errors import RepriseError

LEVELS = {"O0": (), "O3": ("IrInstructionCountO3",), "Oz": ("IrInstructionCountOz",)}
"""What the service has observed of a program after LLVM's own levels, in place of passes."""
SMALL = 1 << 26
"""Bytes: a service that holds less has not grown, whatever it held before."""
_SHOWN = {"bitcode": "Bitcode", "text": "Ir", "autophase": "Autophase", "inst_count": "InstCount", "graph": "Programl"}
_READ_OUT = frozenset(name for names in LEVELS.values() for name in names)


def serve_service(connection: Connection) -> None:
    """What the child does; see :mod:`data.compiler.requests`."""
    try:
        serve(connection, ServiceWorker)
    except RepriseError as error:
        sys.exit(str(error))


class ServiceWorker(ModuleWorker[int]):
    """Modules are sessions of the service. It shows ``bitcode``, ``text``, both counts, and ``graph``, JSON.

    Parameters
    ----------
    folder
        Where the service is laid out.
    work
        Where it may write.
    """

    def __init__(self, connection: Connection, folder: str, work: str) -> None:
        super().__init__(connection)
        self.service = Service(Layout(Path(folder)), Path(work))
        self.first: int | None = None

    def about(self, seconds: float) -> None:
        """Tell what the service is."""
        service = self.service
        say(self.connection, {"version": service.version, "space": service.space, "actions": [*service.actions]})

    def read(self, digest: str, bitcode: bytes) -> int:
        session = self.service.start(digest, bitcode)
        self.first = self.first or self.service.resident
        return session

    def worn(self) -> bool:
        return self.service.resident > 2 * max(self.first or 0, SMALL)

    def copy(self, module: int) -> int:
        return self.service.fork(module)

    def drop(self, module: int) -> None:
        self.service.end(module)

    def count(self, module: int) -> int:
        return self.service.count(module)

    def step(self, name: str, module: int) -> int:
        if name in _READ_OUT:
            return self.service.count(module, observation=name)
        return self.service.count(module, [name])

    def look(self, kind: str, module: int) -> bytes:
        event: Any = self.service.step(module, [], _SHOWN[kind])
        form = event.WhichOneof("value")
        if form == "string_value":
            return event.string_value.encode()
        if form == "byte_tensor":
            return event.byte_tensor.value
        if form == "int64_tensor":
            return np.array(event.int64_tensor.value, "<i8").tobytes()
        opaque: Any = self.service.messages.Opaque()
        if form == "any_value" and event.any_value.Unpack(opaque):
            return opaque.data
        raise ProtocolViolation(f"the service's {kind} has the form {form}")

    def allow(self, seconds: float) -> None:
        self.service.allow(seconds)
