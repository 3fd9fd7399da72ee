"""Timing operations against each other on a machine that others use, too (docs/papers/neuroshard.md#2.5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from data.sharding.oracles.kernel import Operation
from runs import interrupt
from runs.errors import at_least

ALLOCATED_BYTES = 31 * 2**20
"""Just below the largest threshold of glibc (32 MiB)."""


@dataclass(frozen=True)
class Timing:
    """How often each operation is run, and what of that counts.

    On a processor the time is that of the thread, not of the clock on the wall, which also counts other programs. On a GPU
    it is between two events.

    Parameters
    ----------
    repeats
        Timed runs of each operation; all operations take turns.
    warmup
        Runs before.
    smallest
        The mean of so many smallest times counts; None: the median of all.
    flush_mb
        Megabytes written between two operations, so that each finds the caches without its rows.
    steady
        By how much one and the same operation may move meanwhile, as a fraction of its cost.
    """

    repeats: int = 10
    warmup: int = 1
    smallest: int | None = 3
    flush_mb: float = 16.0
    steady: float = 0.1

    def __post_init__(self) -> None:
        at_least("timing.", repeats=(self.repeats, 1), warmup=(self.warmup, 0), smallest=(self.smallest, 1))
        at_least("timing.", flush_mb=(self.flush_mb, 0), steady=(self.steady, 0))

    def run(
        self, operations: Sequence[Operation], device: str, seed: int = 0
    ) -> Float[np.ndarray, "operations repeats"]:
        """Raw times in ms; in each turn the operations come in an order of their own."""
        rng = np.random.default_rng(seed)
        settle_allocator()
        flushed = torch.zeros(int(self.flush_mb * 2**18), device=device)
        timed = _on_gpu if device == "cuda" else _on_processor
        found = np.empty((len(operations), self.repeats))
        with one_thread():
            for turn in range(-self.warmup, self.repeats):
                interrupt.check()
                for position in rng.permutation(len(operations)):
                    flushed.add_(1.0)
                    taken = timed(operations[position].step)
                    operations[position].forget()
                    if turn >= 0:
                        found[position, turn] = taken
        return found

    def estimate(self, raw: Float[np.ndarray, "*operations repeats"]) -> Float[np.ndarray, "*operations"]:
        """ms of each operation."""
        if self.smallest is None:
            return np.median(raw, axis=-1)
        return np.sort(raw, axis=-1)[..., : self.smallest].mean(axis=-1)


def settle_allocator() -> None:
    """Let glibc keep what operations give back: a large block that was freed raises the sizes up to which it does.

    Until then every operation would pay for fresh pages, and the first block of measurements be dearer than all others.
    """
    torch.empty(ALLOCATED_BYTES // 4).fill_(0.0)


def _on_processor(step: Callable[[], None]) -> float:
    begin = time.thread_time()
    step()
    return (time.thread_time() - begin) * 1e3


def _on_gpu(step: Callable[[], None]) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    step()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


@contextmanager
def gradients() -> Iterator[None]:
    """Gradients, also where a run that only tests asks for none; what steps work on is made inside, too."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Operations of torch on the calling thread alone, whose time is taken."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
