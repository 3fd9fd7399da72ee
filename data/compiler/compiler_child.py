"""A child that reads programs and runs passes: asked, heard, and dead of what it was given."""

from __future__ import annotations

import contextlib
import re
import select
import signal
import tempfile
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from data.compiler.requests import LOADED
from runs import child
from runs.text import one_line, shortened

PATIENCE = 10.0  # a child that waits instead of computing is given up after that many times its CPU time
_SAID = re.compile(rb"Assertion .*failed|LLVM ERROR: .*|.*bad_alloc.*|.*out of memory.*|MemoryError.*", re.IGNORECASE)


class Dead(Exception):
    """The child has ended; the message tells of what, and ``by_chance`` whether another may come through."""

    def __init__(self, cause: str, by_chance: bool) -> None:
        super().__init__(cause)
        self.by_chance = by_chance


class CompilerChild:
    """A child at work."""

    def __init__(
        self, function: Callable[[Connection], None], begin: Callable[[Path], tuple[Any, ...]], limits: child.Limits
    ) -> None:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._errors: IO[bytes] = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._process, self._connection = self._stack.enter_context(
            child.serving(function, limits=limits, stderr=self._errors)
        )
        self._waiting = select.poll()  # Connection.poll makes one anew each time, which costs as much as a small pass
        self._waiting.register(self._connection, select.POLLIN)
        self._loaded: list[str] = []  # as the child keeps them
        self.worn = False  # it holds so much that another should go on
        self._end = weakref.finalize(self, self._stack.close)  # at the latest when Python ends
        self._send(begin(folder))

    def ask(self, request: str, *arguments: Any) -> None:
        self._send((request, *arguments))

    def _send(self, message: tuple[Any, ...]) -> None:
        with contextlib.suppress(OSError):  # that it is dead is noticed when it is heard
            self._connection.send(message)

    def hear(self, cpu_seconds: float) -> bytes:
        """Its next answer, for which it may use so much CPU time; raises :class:`Dead`."""
        try:
            if not self._waiting.poll(1000 * PATIENCE * cpu_seconds):
                raise Dead(f"no answer within {PATIENCE * cpu_seconds:g} s", by_chance=False)
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            code = self._process.wait() or 0
        if code == -signal.SIGXCPU:
            raise Dead(f"it took more than {cpu_seconds:g} s of CPU time", by_chance=False)
        raise Dead(self._last_words(child.cause(code)), by_chance=True)

    def loaded(self, digest: str) -> None:
        """Remember a program that it has read."""
        self._loaded = [*self._loaded, digest][-LOADED:]

    def holds(self, digest: str) -> bool:
        """Whether it still has a program."""
        return digest in self._loaded

    def close(self) -> None:
        self._end()

    def _last_words(self, cause: str) -> str:
        self._errors.seek(0)
        written = self._errors.read()
        said = _SAID.search(written)
        last = said[0] if said else (written.strip().splitlines() or [b""])[-1]
        words = shortened(one_line(last.decode(errors="replace")), 200)
        return f"{cause}: {words}" if words else cause
