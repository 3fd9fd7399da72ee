"""What the cache tests make, importable by spawned workers and runnable as one copy of a collection command.

``python collection_makers.py ROOT LOG COUNT SECONDS WORKERS`` collects COUNT items of ``SECONDS`` each.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time

from runs.store.cache import ArtifactCache
from runs.store.collect import collect

CONFIG = {"what": "squares"}


def payload_of(item: int) -> bytes:
    """What an undisturbed run stores: a few kilobytes that depend on the item."""
    return f"{item * item};".encode() * 2000


def make_logged(item: int, log: str, seconds: float = 0.0) -> bytes:
    """Append the item to ``log`` once it is made."""
    time.sleep(seconds)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{item}\n".encode())
    os.close(handle)
    return payload_of(item)


def make_or_fail(item: int) -> bytes:
    """Item 3 cannot be made."""
    if item == 3:
        raise ValueError("three is out of range")
    return payload_of(item)


def make_or_die(item: int, log: str) -> bytes:
    """Item 2 kills its process, as a segmentation fault of native code would."""
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return make_logged(item, log)


if __name__ == "__main__":
    root, log, count, seconds, workers = sys.argv[1:]
    squares = ArtifactCache(root).collection("squares", CONFIG)
    make = functools.partial(make_logged, log=log, seconds=float(seconds))
    report = collect(squares, int(count), make, workers=int(workers))
    print(report.made, report.found, len(report.failed))
