"""What a coreset is made of, collected program by program: candidates, then what each candidate does to each program.

Both are items of the artifact cache (:mod:`data.compiler.collected`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, Compiler, Failure, Trajectory
from data.compiler.collected import by_digest, collected
from data.compiler.program import Program
from runs import interrupt
from runs.errors import at_least
from runs.store.cache import ArtifactCache, json_bytes, json_value
from solvers.base import Budget
from solvers.compiler.sequences import LeastCount, PassSequences, known_sequences, pruned
from solvers.gradient_free.from_several import FromSeveral
from solvers.gradient_free.method import Method
from solvers.gradient_free.search import GradientFreeSearch


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
        rng = np.random.default_rng([self.seed, int(program.digest[:16], 16)])
        objective = LeastCount(program, compiler)
        starts = known_sequences(self.starts, compiler)
        space = PassSequences(len(compiler.actions), self.longest)
        search = GradientFreeSearch(
            space, objective, FromSeveral(self.method, starts[1:]), Budget(evaluations=self.passes), rng
        )
        search.run(starts[0] if starts else None)
        interrupt.check()
        return pruned(program, compiler, objective.best)


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
    make = functools.partial(_candidate, programs=by_digest(programs), compiler=compiler, search=search)
    found = collected("pass_order_candidates", about, programs, make, cache, workers)
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


def least_counts(
    programs: Sequence[Program],
    sequences: Sequence[Actions],
    compiler: Compiler,
    cache: ArtifactCache,
    *,
    workers: int = 0,
) -> tuple[tuple[str, ...], Int[np.ndarray, "programs 2+sequences"]]:
    """What a coreset is chosen by, without the ways there: 4 bytes a program and sequence.

    Returns
    -------
    tuple
        Names of the programs that came through, and for each the count without any pass, that after the level of size, and
        the least of every sequence, int32.

    Raises
    ------
    InvalidProblem
        All programs failed.
    """
    about = {"compiler": compiler.fingerprint.config(), "sequences": [list(sequence) for sequence in sequences]}
    make = functools.partial(
        _least, programs=by_digest(programs), compiler=compiler, sequences=[tuple(s) for s in sequences]
    )
    found = collected("pass_order_least_counts", about, programs, make, cache, workers)
    return tuple(found), np.array([np.frombuffer(payload, "<i4") for payload in found.values()])


def _least(digest: str, *, programs: dict[str, Program], compiler: Compiler, sequences: list[Actions]) -> bytes:
    program = programs[digest]
    found = compiler.trajectories(program.bitcode, [(), *sequences], program.name)
    reference = compiler.reference(program.bitcode, name=program.name)
    least = [trajectory.least() for trajectory in found]
    return np.array([least[0], reference, *least[1:]], "<i4").tobytes()


def outcomes(
    programs: Sequence[Program],
    sequences: Sequence[Actions],
    compiler: Compiler,
    cache: ArtifactCache,
    *,
    workers: int = 0,
) -> Outcomes:
    """All trajectories of some sequences on some programs; programs that fail are named in a warning and left out.

    What is kept does not depend on the order of the sequences: a coreset in another order is not applied again.

    Raises
    ------
    InvalidProblem
        All failed.
    """
    kept = sorted({tuple(sequence) for sequence in sequences})
    place = [kept.index(tuple(sequence)) for sequence in sequences]
    about = {"compiler": compiler.fingerprint.config(), "sequences": [list(sequence) for sequence in kept]}
    make = functools.partial(_outcome, programs=by_digest(programs), compiler=compiler, sequences=kept)
    found = {
        name: json_value(payload)
        for name, payload in collected("pass_order_outcomes", about, programs, make, cache, workers).items()
    }
    return Outcomes(
        tuple(found),
        np.array([value["trajectories"][0]["counts"][0] for value in found.values()]),
        np.array([value["reference"] for value in found.values()]),
        tuple(tuple(_trajectory(value["trajectories"][p]) for p in place) for value in found.values()),
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
