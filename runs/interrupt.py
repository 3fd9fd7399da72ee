"""SIGINT, SIGTERM and SIGUSR2 as a flag that search loops look at, so a solver can return its best so far.

SIGUSR2 is the warning of a preemption or a time limit on a cluster.
A process has one disposition per signal, so the flag is one per process. The first signal raises the flag; a second
SIGINT falls through to the handler that was there before.

Outside such loops a signal raises an exception. Python loses one that is raised in a destructor or in a callback of a weak
reference, so it is remembered, too: whoever looks at the flag next leaves.
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
_deferred = False


class Interrupted(BaseException):
    """Leaves a run from inside after a clean stop; carries the signal. Not an Exception: nothing may swallow it."""

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def requested() -> bool:
    """True once one of the signals arrived while :func:`watch` or :func:`listening` was active."""
    return _requested.is_set()


def check() -> None:
    """Raise :class:`Interrupted` if a signal has been asked for."""
    if _requested.is_set():
        raise Interrupted(_signal_number or signal.SIGINT)


def clear() -> None:
    """Forget an earlier request (a library user may want to solve again)."""
    _requested.clear()


def _remember(number: int) -> None:
    global _signal_number
    _signal_number = number
    _requested.set()


def stop(number: int, frame: FrameType | None) -> None:
    """A handler that remembers the signal and leaves from where the main thread is.

    Raises
    ------
    KeyboardInterrupt
        At SIGINT.
    Interrupted
        At other signals, unless :func:`defer` has put it off.
    """
    _remember(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if not _deferred:
        raise Interrupted(number)


def defer(deferred: bool) -> None:
    """Whether other signals than SIGINT only raise the flag, since somebody looks at it soon (after each batch, say)."""
    global _deferred
    _deferred = deferred


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Let :func:`stop` handle SIGINT and SIGTERM while the block runs, unless they are ignored (``nohup``)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in previous.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        clear()


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
        handler = previous[signal.SIGINT]
        if number == signal.SIGINT and _requested.is_set() and callable(handler):
            handler(number, frame)
        _remember(number)

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
        _remember(number)
        raise Interrupted(number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)
