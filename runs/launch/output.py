"""Standard output and errors that may end before the work does: ``| head -1``, a closed terminal, a full disk."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


class _Outlet(io.RawIOBase):
    """A file descriptor; what it refuses is dropped, and all that follows."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        written = 0
        while written < len(view):
            try:
                written += os.write(self.descriptor, view[written:])
            except OSError:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.descriptor)
                os.close(nowhere)
                return len(view)
        return written


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Let no write to the standard streams raise while the block runs; its exit code is what tells.

    Streams that another has put in their place (a test, a notebook) are left alone.
    """
    for descriptor in range(3):  # a closed one would be given to the next file that is opened, or to a socket
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = {"stdout": sys.stdout, "stderr": sys.stderr}
    for descriptor, (name, stream) in enumerate(before.items(), start=1):
        if stream is not None and stream is not getattr(sys, f"__{name}__"):
            continue
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
        lasting_stream = io.TextIOWrapper(
            io.BufferedWriter(_Outlet(descriptor)),
            encoding=getattr(stream, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, lasting_stream)
    try:
        yield
    finally:
        for name, stream in before.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)
