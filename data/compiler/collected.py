"""What is computed of each program once: an item of the artifact cache, named by the program's content.

A command that was killed goes on from what is there, and several copies share the work (:mod:`runs.store.collect`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data.compiler.program import Program
from runs.errors import InvalidProblem
from runs.store.cache import ArtifactCache
from runs.store.collect import collect

_MESSAGES = logging.getLogger(__name__)
_SHOWN = 3  # failures


def collected(
    kind: str,
    about: Mapping[str, Any],
    programs: Sequence[Program],
    make: Callable[[Any], bytes],
    cache: ArtifactCache,
    workers: int = 0,
) -> dict[str, bytes]:
    """Payloads by the names of programs, in their order; those of equal content share one.

    Parameters
    ----------
    kind
        What is kept.
    about
        All that determines it besides the program, as plain data.
    programs
        Of which.
    make
        From a program's digest to its payload, see :func:`by_digest`; with workers as :func:`runs.store.collect.collect`
        wants it.
    cache
        Where.
    workers
        Processes; 0: this one.

    Raises
    ------
    InvalidProblem
        It failed for all programs; where it failed for some, a warning names them.
    """
    collection = cache.collection(kind, about)
    report = collect(collection, list(by_digest(programs)), make, workers=workers)
    failed = {program.name: report.failed[program.digest] for program in programs if program.digest in report.failed}
    if failed:
        shown = "; ".join(f"{name}: {reason}" for name, reason in [*failed.items()][:_SHOWN])
        if len(failed) == len(programs):
            raise InvalidProblem(f"none of {len(programs)} programs came through; {shown}")
        _MESSAGES.warning("%d of %d programs are left out: %s", len(failed), len(programs), shown)
    payloads = {program.name: collection.get(program.digest) for program in programs if program.name not in failed}
    return {name: payload for name, payload in payloads.items() if payload is not None}


def by_digest(programs: Sequence[Program]) -> dict[str, Program]:
    """Programs by the names of their items."""
    return {program.digest: program for program in programs}
