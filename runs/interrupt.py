"""SIGINT, SIGTERM and SIGUSR2 as a flag that search loops look at, so a solver can return its best so far.

SIGUSR2 is the warning of a preemption or a time limit on a cluster.
A process has one disposition per signal, so the flag is one per process. The first signal raises the flag; a second
SIGINT falls through to the handler that was there before.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
_requested = threading.Event()
_signal_number = 0
_watching = False


class Interrupted(BaseException):
    """Leaves a run from inside after a clean stop; carries the signal. Not an Exception: nothing may swallow it."""

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def requested() -> bool:
    """True once one of the signals arrived while :func:`watch` was active."""
    return _requested.is_set()


def check() -> None:
    """Raise :class:`Interrupted` if a signal has been asked for."""
    if _requested.is_set():
        raise Interrupted(_signal_number or signal.SIGINT)


def clear() -> None:
    """Forget an earlier request (a library user may want to solve again)."""
    _requested.clear()


@contextlib.contextmanager
def watch() -> Iterator[threading.Event]:
    """Turn SIGINT, SIGTERM and SIGUSR2 into the returned event while the block runs.

    Nested use and use outside the main thread change nothing and return the same event.
    """
    global _watching
    if _watching or threading.current_thread() is not threading.main_thread():
        yield _requested
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def raise_flag(number: int, frame: FrameType | None) -> None:
        global _signal_number
        handler = previous[signal.SIGINT]
        if number == signal.SIGINT and _requested.is_set() and callable(handler):
            handler(number, frame)
        _signal_number = number
        _requested.set()

    for number in _SIGNALS:
        signal.signal(number, raise_flag)
    _watching = True
    try:
        yield _requested
    finally:
        _watching = False
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Let SIGTERM raise :class:`Interrupted` while the block runs, as Ctrl-C raises an exception by itself.

    For long work inside one batch of Lightning's loops, whose own handler waits for the end of the batch. Outside the main
    thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)
