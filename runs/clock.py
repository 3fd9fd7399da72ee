"""The clock of searches: seconds in which this process was not stopped.

A process that is stopped (Ctrl-Z, SIGSTOP, ``scontrol suspend``) searches nothing until it is continued, but the monotone
clock of the machine goes on. SIGCONT tells of it afterwards. That a machine was suspended needs no care: its monotone clock
stands still, too.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

_watched = False
_slept = 0.0
_seen = (0.0, 0.0)  # when the main thread last looked: on the monotone clock, and of this process's CPU time


def watch() -> None:
    """Listen for SIGCONT from now on, next to whoever does so already; only the main thread can."""
    global _watched
    if _watched or threading.current_thread() is not threading.main_thread():
        return
    _watched = True
    previous = signal.getsignal(signal.SIGCONT)

    def continued(number: int, frame: FrameType | None) -> None:
        global _slept
        then, busy = _seen
        _slept += max(0.0, time.monotonic() - then - (time.process_time() - busy))
        _look()
        if callable(previous):
            previous(number, frame)

    _look()
    signal.signal(signal.SIGCONT, continued)


def seconds() -> float:
    """Monotone seconds without those between a stop and its SIGCONT; look often: what lay before the last look is known."""
    if threading.current_thread() is threading.main_thread():
        _look()
    return time.monotonic() - _slept


def slept() -> float:
    """Seconds for which this process was stopped so far."""
    return _slept


def _look() -> None:
    global _seen
    _seen = (time.monotonic(), time.process_time())
