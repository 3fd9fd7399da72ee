"""The child's side of :mod:`runs.child`: what a process does to itself before it becomes what it was started for.

Run as a script, it takes limits upon itself and becomes the program that follows. That is safe where the parent has
threads, which a function of ours between fork and exec would not be. It imports nothing of ours and no site packages, so
it costs some hundredths of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import resource
import signal
import sys
import threading
import time
from typing import NoReturn

_LOOK_SECONDS = 1.0


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Send this process a signal when its parent ends, however that ends.

    The kernel does it (Linux), else a thread, which does not see a program that this process becomes. A parent that has
    ended before was too early for either, so this process ends here.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(number), 0, 0, 0)
    else:
        watch_parent(os.getpid(), parent, number)
    if os.getppid() != parent:
        os._exit(1)


@functools.cache
def watch_parent(pid: int, parent: int, number: int) -> None:
    """Let a thread do what no kernel does: send this process, ``pid``, the signal when it has another parent.

    Once for each process: a copy of it has no copy of the thread.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os.kill(pid, number)

    threading.Thread(target=look, daemon=True).start()


def keep_to(cpu_seconds: int | None, memory_bytes: int | None, output_bytes: int | None) -> None:
    """Hold this process, and each that it starts, to the limits; None for no limit. It leaves no core file."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, cpu_seconds, 1)  # SIGXCPU names the reason; a second later comes SIGKILL
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, output_bytes)


def allow(cpu_seconds: float) -> None:
    """Let this process use so much CPU time from now on, in whole seconds; then SIGXCPU ends it.

    For a child that does one task after the other. A limit that it was started with stays the highest.
    """
    highest = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(time.process_time() + cpu_seconds)
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if highest == resource.RLIM_INFINITY else min(soft, highest), highest)
    )


def end_as(code: int) -> NoReturn:
    """End this process as another has ended, so that whoever waits for this one learns of what."""
    sys.stderr.flush()
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code or 1)


def _limit(what: int, most: int | None, more: int = 0) -> None:
    if most is None:
        return
    highest = resource.getrlimit(what)[1]
    soft, hard = (size if highest == resource.RLIM_INFINITY else min(size, highest) for size in (most, most + more))
    resource.setrlimit(what, (soft, hard))


def main(parent: str, cpu_seconds: str, memory_bytes: str, output_bytes: str, *command: str) -> None:
    """Become ``command``; a limit is a whole number or empty."""
    die_with(int(parent))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        keep_to(*(int(limit) if limit else None for limit in (cpu_seconds, memory_bytes, output_bytes)))
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]} could not be started: {error}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    main(*sys.argv[1:])
