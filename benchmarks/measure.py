"""What one run of a contender measured: wall and CPU seconds of its phases, and values of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WALL, CPU = "s wall", "s CPU"
"""Units of the two clocks; CPU is user and system time of all threads and of finished children."""


@dataclass
class Probe:
    """Handed to a contender, which times what counts and leaves the rest, such as preparation, untimed.

    ``round`` counts the repetitions (0 is the first timed one, -1 the warm-up), so that a contender can take another
    instance in each: what is compared within a round is the same for all. ``result`` is for :attr:`Case.score`, ``note``
    for the reader of the table.
    """

    round: int = 0
    amounts: dict[tuple[str, str], float] = field(default_factory=dict)
    result: Any = None
    note: str = ""

    @contextmanager
    def during(self, *phases: str, share: float = 1.0) -> Iterator[None]:
        """Add the seconds of the block, times ``share``, to each of the phases."""
        wall, cpu = time.perf_counter(), cpu_seconds()
        yield
        spent = {WALL: time.perf_counter() - wall, CPU: cpu_seconds() - cpu}
        for phase in phases:
            for unit, seconds in spent.items():
                self.amounts[phase, unit] = self.amounts.get((phase, unit), 0.0) + share * seconds

    def value(self, name: str, amount: float, unit: str) -> None:
        """Note a measurement that is not a phase."""
        self.amounts[name, unit] = float(amount)


Run = Callable[[Probe], None] | Sequence[str]
"""A contender: called with a probe, or a command line that is run to its end."""


def measure(run: Run, round_: int = 0) -> Probe:
    """Run a contender once; without phases or values of its own its whole time is the phase ``total``.

    Raises
    ------
    subprocess.CalledProcessError
        A command failed.
    """
    whole, probe = Probe(), Probe(round_)
    with whole.during("total"):
        if callable(run):
            run(probe)
        else:
            subprocess.run(list(run), check=True, capture_output=True, text=True, timeout=600)
    probe.amounts = probe.amounts or whole.amounts
    return probe


def cpu_seconds() -> float:
    """CPU seconds of this process, its threads and its finished children, to the microsecond."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def load() -> float:
    """Mean number of runnable processes of the last minute: how busy the machine was."""
    return os.getloadavg()[0]
