"""Coresets that a run needs: collected on programs, or read from a file (docs/papers/pass_order.md#3.1)."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from data.compiler.base import Actions, Compiler
from data.compiler.program import Program
from data.compiler.sources import ProgramSource
from runs.errors import ConfigError, InvalidProblem, at_least
from runs.store.cache import ArtifactCache
from solvers.compiler.collection import CandidateSearch, candidates, least_counts, outcomes
from solvers.compiler.coreset import lazy_greedy, reward
from solvers.compiler.coreset_file import read_coreset

SHIPPED = Path(__file__).parent / "coresets"
_MESSAGES = logging.getLogger(__name__)


class CoresetSource(Protocol):
    """Any way to come by a coreset."""

    def find(self, compiler: Compiler) -> tuple[Actions, ...]:
        """Its sequences in order, for a compiler."""


@dataclass(frozen=True)
class CoresetFile:
    """A coreset that was written to a file.

    Parameters
    ----------
    path
        See :func:`solvers.compiler.coreset_file.read_coreset`.
    """

    path: str

    def find(self, compiler: Compiler) -> tuple[Actions, ...]:
        """See :class:`CoresetSource`."""
        return read_coreset(self.path, compiler)


class ShippedCoreset:
    """The coreset that comes with the project, in ``solvers/compiler/coresets``; not every compiler has one."""

    def find(self, compiler: Compiler) -> tuple[Actions, ...]:
        """See :class:`CoresetSource`.

        Raises
        ------
        ConfigError
            None was chosen for this compiler.
        """
        path = SHIPPED / f"{compiler.fingerprint.digest}.json"
        if not path.is_file():
            raise ConfigError(
                f"no coreset comes with the project for {compiler.fingerprint}; collect one (pass_order/collect_small), "
                "and give it by pass_order/coreset@coreset=file coreset.path=coreset.json"
            )
        return read_coreset(path, compiler)


@dataclass(frozen=True, eq=False)
class Collected:
    """A coreset, and how it came about.

    Parameters
    ----------
    sequences
        In the order in which greedy chose them.
    coverage
        (chosen + 1,) mean over programs of the best reward of the first 0, 1, ... of them, as far as they raise it.
    programs
        Names of those that it was chosen on.
    own
        (programs,) reward of each one's own candidate.
    tried
        Sequences that could be chosen.
    """

    sequences: tuple[Actions, ...]
    coverage: Float[np.ndarray, " chosen+1"]
    programs: tuple[str, ...]
    own: Float[np.ndarray, " programs"]
    tried: int


class CoresetCollection:
    """Searches a candidate for each program, applies all to all, and chooses greedily.

    Parameters
    ----------
    source
        Programs to learn on.
    search
        How candidates are found; or another coreset, of which the greedy order is found anew. Of such a one all sequences
        are kept: those that greedy does not need come last, the largest mean reward first.
    cache
        Folder of the artifact cache.
    size
        K, at most.
    against
        What a reward is a share of: ``oz`` or ``o0`` (docs/papers/pass_order.md#(2)).
    most_candidates
        With more, those are applied to all programs that greedy chooses on ``sample`` of them, then those with the largest
        mean reward; None: all are.
    sample
        Programs of that first choice.
    workers
        Processes that collect.

    Raises
    ------
    ConfigError
        A number is too small.
    """

    def __init__(
        self,
        source: ProgramSource,
        search: CandidateSearch | CoresetSource,
        cache: str,
        size: int = 50,
        against: str = "oz",
        most_candidates: int | None = None,
        sample: int = 500,
        workers: int = 0,
    ) -> None:
        at_least("coreset.", size=(size, 1), most_candidates=(most_candidates, size), sample=(sample, 1))
        self.source, self.search, self.cache = source, search, ArtifactCache(cache)
        self.size, self.against = size, against
        self.most_candidates, self.sample, self.workers = most_candidates, sample, workers

    def find(self, compiler: Compiler) -> tuple[Actions, ...]:
        """See :class:`CoresetSource`."""
        return self.collect(compiler).sequences

    def collect(self, compiler: Compiler) -> Collected:
        """What is not in the cache is computed; a command that was killed goes on.

        Raises
        ------
        InvalidProblem
            No program came through, or no pass makes any smaller.
        """
        programs = self.source.read(compiler).one_at_least("coreset").kept
        if isinstance(self.search, CandidateSearch):
            own = candidates(programs, compiler, self.search, self.cache, workers=self.workers)
            programs = tuple(program for program in programs if program.name in own)
            tried = tuple(dict.fromkeys(sequence for sequence in own.values() if sequence))
            if not tried:
                raise InvalidProblem(f"coreset: no pass makes any of {len(programs)} programs smaller")
            tried = self._prefiltered(programs, tried, compiler, self.search.seed)
        else:
            tried = self.search.find(compiler)
        names, counts = self._counts(programs, tried, compiler)
        rewards, nothing = self._rewards(counts)
        chosen = lazy_greedy(rewards, [len(sequence) for sequence in tried], self.size, nothing)
        if not chosen.chosen:
            raise InvalidProblem(f"coreset: none of {len(tried)} sequences makes any of {len(names)} programs smaller")
        best = np.maximum(rewards.max(axis=1), nothing)
        order = [*chosen.chosen]
        if not isinstance(self.search, CandidateSearch):
            order += [int(s) for s in np.argsort(-rewards.mean(axis=0), kind="stable") if int(s) not in order]
        return Collected(tuple(tried[s] for s in order[: self.size]), chosen.coverage, names, best, len(tried))

    def _prefiltered(
        self, programs: tuple[Program, ...], tried: tuple[Actions, ...], compiler: Compiler, seed: int
    ) -> tuple[Actions, ...]:
        if self.most_candidates is None or len(tried) <= self.most_candidates:
            return tried
        rng = np.random.default_rng([seed, 1])
        chosen = sorted(rng.permutation(len(programs))[: self.sample].tolist())
        _, counts = self._counts(tuple(programs[p] for p in chosen), tried, compiler)
        rewards, nothing = self._rewards(counts)
        first = lazy_greedy(rewards, [len(sequence) for sequence in tried], self.most_candidates, nothing).chosen
        by_mean = [int(s) for s in np.argsort(-rewards.mean(axis=0), kind="stable") if int(s) not in first]
        kept = sorted([*first, *by_mean][: self.most_candidates])
        _MESSAGES.info("of %d candidates %d are applied to all programs", len(tried), len(kept))
        return tuple(tried[s] for s in kept)

    def _counts(
        self, programs: tuple[Program, ...], tried: tuple[Actions, ...], compiler: Compiler
    ) -> tuple[tuple[str, ...], Int[np.ndarray, "programs 2+sequences"]]:
        """Of the programs that the level of size leaves something of."""
        if isinstance(self.search, CandidateSearch):
            names, counts = least_counts(programs, tried, compiler, self.cache, workers=self.workers)
        else:  # all of these are what a predictor learns from, too
            found = outcomes(programs, tried, compiler, self.cache, workers=self.workers)
            names, counts = found.programs, np.column_stack([found.initial, found.reference, found.least])
        kept = counts[:, 1] > 0
        return tuple(name for name, is_kept in zip(names, kept, strict=True) if is_kept), counts[kept]

    def _rewards(
        self, counts: Int[np.ndarray, "programs 2+sequences"]
    ) -> tuple[Float[np.ndarray, "programs sequences"], Float[np.ndarray, " programs"]]:
        """Of each sequence, and of nothing."""
        of = functools.partial(reward, initial=counts[:, 0], reference=counts[:, 1], against=self.against)
        return of(counts[:, 2:]).astype(np.float32), of(counts[:, 0])
