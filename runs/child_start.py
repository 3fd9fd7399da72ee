"""The child's side of :mod:`runs.child`: what a process does to itself before it becomes what it was started for.

Run as a script, it takes limits upon itself and becomes the program that follows. That is safe where the parent has
threads, which a function of ours between fork and exec would not be. It imports nothing of ours and no site packages, so
it costs some hundredths of a second.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Let the kernel (Linux) send this process a signal when its parent ends, however that ends.

    A parent that has ended before was too early for the kernel's word, so this process ends here.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def keep_to(cpu_seconds: int | None, memory_bytes: int | None, output_bytes: int | None) -> None:
    """Hold this process, and each that it starts, to the limits; None for no limit. It leaves no core file."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, cpu_seconds, 1)  # SIGXCPU names the reason; a second later comes SIGKILL
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, output_bytes)


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
