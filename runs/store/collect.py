"""Collection: fill a collection of the artifact cache item by item, in worker processes, on many nodes at once.

Every worker of every copy of a command runs the same loop: walk over the missing items, claim one, make it, store it.
Nothing is divided up in advance, so a copy may start late, die or be slow, and each item is still made once.
"""

from __future__ import annotations

import multiprocessing
import pickle
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

from runs import interrupt
from runs.errors import ConfigError, RepriseError, SolverFailure
from runs.store.cache import Collection, Item

_POLL_SECONDS = 0.2
_DEATHS_PER_ITEM = 2  # one death may be the machine's fault (out of memory), a second is the item's
_IDLE_DEATHS = 5

Make = Callable[[Any], bytes]
Progress = Callable[[int, int], None]


@dataclass
class Report:
    """What a collection did: items found in the cache, items made by this copy, items that failed with the reason."""

    found: int = 0
    made: int = 0
    failed: dict[Item, str] = field(default_factory=dict)


def collect(
    collection: Collection,
    items: int | Sequence[Item],
    make: Make,
    *,
    workers: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Make every missing item of a collection and return when each is present or has failed.

    Parameters
    ----------
    collection
        Where the items go; several processes and nodes may fill the same one.
    items
        Identifiers, or n for ``0 .. n - 1``.
    make
        Makes the payload of one item. Seeds must come from the item, so that any worker makes the same bytes. With
        workers it must be importable: a module-level function, or a ``functools.partial`` of one.
    workers
        Spawned processes; 0 makes the items in this one.
    progress
        Called as ``progress(done, total)`` whenever an item is there or has failed, by whichever copy.

    Returns
    -------
    Report
        An exception of ``make`` (or the second death of a worker at the same item) fails that item only. It is noted
        beside the items and not tried again by copies that run now; a later start tries it again.

    Raises
    ------
    ConfigError
        Two items share a name, or ``make`` cannot be sent to a worker.
    StorageError
        The disk refused; items stored so far stay.
    runs.interrupt.Interrupted
        SIGINT or SIGTERM between two items; the next start goes on from there.
    """
    identifiers: list[Item] = list(range(items)) if isinstance(items, int) else list(items)
    if len({str(item) for item in identifiers}) < len(identifiers):
        raise ConfigError("collect: two items have the same identifier; each must be unique as text")
    collection.remove_partial_writes()
    missing = [item for item in identifiers if collection.get(item) is None]
    remaining = dict.fromkeys(missing)
    report = Report()

    def conclude(item: Item, outcome: Outcome) -> None:
        report.made += outcome.made
        if outcome.reason is not None:
            report.failed[item] = outcome.reason
        if item in remaining:
            del remaining[item]
            announce()

    def announce() -> None:
        if progress is not None:
            progress(len(identifiers) - len(remaining), len(identifiers))

    announce()
    earlier = {item: note["token"] for item in missing if (note := collection.failure(item)) is not None}
    job = Job(collection, make, earlier)
    if missing and workers > 0:
        _Crew(job, missing, conclude).run(min(workers, len(missing)))
    else:
        job.run(missing, lambda item: None, conclude)
    report.found = len(identifiers) - report.made - len(report.failed)
    return report


@dataclass(frozen=True)
class Outcome:
    """What became of an item: made here, found, or failed for a reason."""

    made: bool = False
    reason: str | None = None


class Conclude(Protocol):
    """Told what became of each item."""

    def __call__(self, item: Item, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Job:
    """The loop of one worker.

    Parameters
    ----------
    collection, make
        As in :func:`collect`.
    earlier
        Tokens of failures from before this command started: those items are tried again.
    """

    collection: Collection
    make: Make
    earlier: dict[Item, str]

    def run(self, missing: Sequence[Item], begin: Callable[[Item], None], conclude: Conclude) -> None:
        """Make or find all of ``missing``; items that others hold are waited for, and taken over when given back."""
        start = secrets.randbelow(len(missing)) if missing else 0  # copies begin in different places
        pending = [*missing[start:], *missing[:start]]
        while pending:
            waiting = []
            for item in pending:
                interrupt.check()
                outcome = self._attempt(item, begin)
                if outcome is None:
                    waiting.append(item)
                else:
                    conclude(item, outcome)
            if len(waiting) == len(pending):
                time.sleep(_POLL_SECONDS)
            pending = waiting

    def _attempt(self, item: Item, begin: Callable[[Item], None]) -> Outcome | None:
        if self.collection.get(item) is not None:
            return Outcome()
        with self.collection.claim(item) as mine:
            if not mine:
                return None
            if self.collection.get(item) is not None:
                return Outcome()
            note = self.collection.failure(item)
            if note is not None and note["token"] != self.earlier.get(item):
                return Outcome(reason=note["reason"])
            begin(item)
            return self._make(item)

    def _make(self, item: Item) -> Outcome:
        try:
            payload = self.make(item)
            if not isinstance(payload, bytes):
                raise TypeError(f"make returned {type(payload).__name__}, not bytes")
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.collection.record_failure(item, reason, traceback.format_exc())
            return Outcome(reason=reason)
        self.collection.put(item, payload)
        return Outcome(made=True)


class _Crew:
    """Worker processes of one copy and what is known about their items."""

    def __init__(self, job: Job, missing: Sequence[Item], conclude: Conclude) -> None:
        self.job = job
        self.conclude = conclude
        self.pending = dict.fromkeys(missing)
        self.deaths: dict[Item, int] = {}
        self.idle_deaths = 0
        self.workers: dict[Any, SpawnProcess] = {}
        self.current: dict[Any, Item | None] = {}

    def run(self, count: int) -> None:
        try:
            for _ in range(count):
                self._start()
            while self.workers:  # to their own end: "made" of one may arrive after "found" of another
                interrupt.check()
                for connection in wait(list(self.workers), timeout=_POLL_SECONDS):
                    self._hear(connection)
        finally:
            self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.job, list(self.pending)))
        try:
            process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"collect: {self.job.make!r} cannot be sent to a worker process ({error}); "
                "use a module-level function or a functools.partial of one, or workers=0"
            ) from error
        theirs.close()
        self.workers[ours] = process
        self.current[ours] = None

    def _hear(self, connection: Any) -> None:
        try:
            kind, item, value = connection.recv()
        except (EOFError, OSError):
            self._bury(connection)
            return
        if kind == "error":
            raise value
        self.current[connection] = item if kind == "begin" else None
        if kind == "end":
            self.pending.pop(item, None)
            self.conclude(item, value)

    def _bury(self, connection: Any) -> None:
        process, item = self.workers.pop(connection), self.current.pop(connection)
        connection.close()
        process.join()
        if not self.pending:
            return
        if item is None:
            self._count_idle_death(process.exitcode)
        else:
            self._count_death(item, process.exitcode)
        if self.pending:
            self._start()

    def _count_idle_death(self, exit_code: int | None) -> None:
        self.idle_deaths += 1
        if (exit_code or 0) > 0 or self.idle_deaths > _IDLE_DEATHS:
            raise SolverFailure(
                f"collect: a worker process ended with code {exit_code} before it began an item; its own message is "
                "above. `make` and its module must be importable in a fresh process"
            )

    def _count_death(self, item: Item, exit_code: int | None) -> None:
        self.deaths[item] = self.deaths.get(item, 0) + 1
        if self.deaths[item] < _DEATHS_PER_ITEM or item not in self.pending:
            return
        reason = f"the worker process died with code {exit_code} while making it, {_DEATHS_PER_ITEM} times"
        self.job.collection.record_failure(item, reason)
        del self.pending[item]
        self.conclude(item, Outcome(reason=reason))

    def _stop(self) -> None:
        for process in self.workers.values():
            process.terminate()
        for connection, process in self.workers.items():
            process.join(5.0)
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()


def _work(connection: Any, job: Job, missing: list[Item]) -> None:
    """A worker process. Ctrl-C reaches the whole terminal, so the parent alone decides when workers stop."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job.run(
            missing,
            lambda item: connection.send(("begin", item, None)),
            lambda item, outcome: connection.send(("end", item, outcome)),
        )
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent died; the item in hand is stored
    except RepriseError as error:
        connection.send(("error", None, error))
