"""What a coreset is made of, collected program by program: candidates, then what each candidate does to each program.

Items lie in the artifact cache, named by the content of their program. A command that was killed goes on from there, and
several copies share the work (:mod:`runs.store.collect`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, Compiler, Failure, Trajectory
from data.compiler.program import Program
from runs import interrupt
from runs.errors import InvalidProblem, at_least
from runs.store.cache import ArtifactCache, json_bytes, json_value
from runs.store.collect import collect
from solvers.base import Budget
from solvers.compiler.sequences import LeastCount, PassSequences, pruned
from solvers.gradient_free.method import Method
from solvers.gradient_free.search import GradientFreeSearch

_MESSAGES = logging.getLogger(__name__)
_SHOWN = 3  # failures


@dataclass(frozen=True)
class CandidateSearch:
    """How the candidate of a program is found: from the best of some starts, then by a gradient-free method.

    Parameters
    ----------
    method
        For example :class:`solvers.gradient_free.local_search.LocalSearch`.
    name
        What tells methods and their settings apart in the cache.
    passes
        Applications that a program's search may spend; those of the pruning afterwards come on top.
    longest
        Passes of a sequence.
    starts
        Sequences of actions' names; those with an action that the compiler lacks are left out.
    seed
        Of all; a program's own depends on its content besides.

    Raises
    ------
    ConfigError
        A number is too small.
    """

    method: Method
    name: str
    passes: int = 500
    longest: int = 15
    starts: tuple[tuple[str, ...], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("search.", passes=(self.passes, self.longest), longest=(self.longest, 1), seed=(self.seed, 0))

    def config(self) -> dict[str, Any]:
        """As plain data, for the key of a collection."""
        names = ("name", "passes", "longest", "seed")
        return {name: getattr(self, name) for name in names} | {"starts": [list(start) for start in self.starts]}

    def best(self, program: Program, compiler: Compiler) -> Actions:
        """The best sequence found, without passes that it does not need; empty where no pass helps.

        Raises
        ------
        runs.interrupt.Interrupted
            A signal asked to stop before the search had ended.
        """
        known = {name: index for index, name in enumerate(compiler.actions)}
        starts = [tuple(known[name] for name in start) for start in self.starts if known.keys() >= set(start)]
        rng = np.random.default_rng([self.seed, int(program.digest[:16], 16)])
        objective = LeastCount(program, compiler, self.longest)
        meter = Budget(evaluations=self.passes).start()
        points = [np.array(start, np.int64) for start in starts]
        values = objective.values(points, meter)
        space = PassSequences(len(compiler.actions), self.longest)
        left = Budget(evaluations=int(meter.remaining_evaluations))
        search = GradientFreeSearch(space, objective, self.method, left, rng)
        for point, value in zip(points, values.tolist(), strict=True):
            search.known[space.key(point)] = value
        initial = points[int(np.argmin(values))] if points else None
        search.run(initial)
        interrupt.check()
        assert search.point is not None
        return pruned(program, compiler, tuple(search.point.tolist()))


def candidates(
    programs: Sequence[Program],
    compiler: Compiler,
    search: CandidateSearch,
    cache: ArtifactCache,
    *,
    workers: int = 0,
) -> dict[str, Actions]:
    """The candidate of each program, by the program's name; programs whose search failed are named in a warning.

    Raises
    ------
    InvalidProblem
        It failed for all.
    """
    about = {"compiler": compiler.fingerprint.config(), "search": search.config()}
    make = functools.partial(_candidate, programs=_by_digest(programs), compiler=compiler, search=search)
    found = _collected("pass_order_candidates", about, programs, make, cache, workers)
    return {name: tuple(json_value(payload)["sequence"]) for name, payload in found.items()}


def _candidate(digest: str, *, programs: dict[str, Program], compiler: Compiler, search: CandidateSearch) -> bytes:
    return json_bytes({"sequence": list(search.best(programs[digest], compiler))})


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What some sequences do to some programs.

    Parameters
    ----------
    programs
        Names.
    initial, reference
        (programs,) counts without any pass, and after the compiler's own level of size.
    trajectories
        Of each program and sequence.
    """

    programs: tuple[str, ...]
    initial: Int[np.ndarray, " programs"]
    reference: Int[np.ndarray, " programs"]
    trajectories: tuple[tuple[Trajectory, ...], ...]

    @property
    def least(self) -> Int[np.ndarray, "programs sequences"]:
        """The smallest count of each."""
        return np.array([[trajectory.least() for trajectory in row] for row in self.trajectories])


def outcomes(
    programs: Sequence[Program],
    sequences: Sequence[Actions],
    compiler: Compiler,
    cache: ArtifactCache,
    *,
    workers: int = 0,
) -> Outcomes:
    """All trajectories of some sequences on some programs; programs that fail are named in a warning and left out.

    Raises
    ------
    InvalidProblem
        All failed.
    """
    about = {"compiler": compiler.fingerprint.config(), "sequences": [list(sequence) for sequence in sequences]}
    make = functools.partial(
        _outcome, programs=_by_digest(programs), compiler=compiler, sequences=[tuple(s) for s in sequences]
    )
    found = {
        name: json_value(payload)
        for name, payload in _collected("pass_order_outcomes", about, programs, make, cache, workers).items()
    }
    return Outcomes(
        tuple(found),
        np.array([value["trajectories"][0]["counts"][0] for value in found.values()]),
        np.array([value["reference"] for value in found.values()]),
        tuple(tuple(_trajectory(part) for part in value["trajectories"]) for value in found.values()),
    )


def _outcome(digest: str, *, programs: dict[str, Program], compiler: Compiler, sequences: list[Actions]) -> bytes:
    program = programs[digest]
    found = compiler.trajectories(program.bitcode, sequences, program.name)
    reference = compiler.reference(program.bitcode, name=program.name)
    return json_bytes({"reference": reference, "trajectories": [asdict(trajectory) for trajectory in found]})


def _trajectory(part: dict[str, Any]) -> Trajectory:
    failure = part["failure"]
    return Trajectory(
        tuple(part["counts"]), failure and Failure(tuple(failure["prefix"]), failure["action"], failure["cause"])
    )


def _collected(
    kind: str,
    about: dict[str, Any],
    programs: Sequence[Program],
    make: Callable[[Any], bytes],
    cache: ArtifactCache,
    workers: int,
) -> dict[str, bytes]:
    """Payloads by the names of programs, in their order; those of equal content share one."""
    collection = cache.collection(kind, about)
    report = collect(collection, list(_by_digest(programs)), make, workers=workers)
    failed = {program.name: report.failed[program.digest] for program in programs if program.digest in report.failed}
    if failed:
        shown = "; ".join(f"{name}: {reason}" for name, reason in [*failed.items()][:_SHOWN])
        if len(failed) == len(programs):
            raise InvalidProblem(f"none of {len(programs)} programs came through; {shown}")
        _MESSAGES.warning("%d of %d programs are left out: %s", len(failed), len(programs), shown)
    payloads = {program.name: collection.get(program.digest) for program in programs if program.name not in failed}
    return {name: payload for name, payload in payloads.items() if payload is not None}


def _by_digest(programs: Sequence[Program]) -> dict[str, Program]:
    return {program.digest: program for program in programs}
