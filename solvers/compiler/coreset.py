"""A small set of sequences that between them suit most programs (docs/papers/pass_order.md#3.1)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, InvalidProblem, at_least

_DIGITS = 12  # gains that differ by rounding alone are equal


@dataclass(frozen=True, eq=False)
class Coreset:
    """What was chosen, in order.

    Parameters
    ----------
    chosen
        Indices of sequences.
    coverage
        (chosen + 1,) the mean over programs of the best reward, with none, with the first, with the first two, ...
    """

    chosen: tuple[int, ...]
    coverage: Float[np.ndarray, " chosen+1"]


def greedy(
    rewards: Float[np.ndarray, "programs sequences"],
    lengths: Sequence[int],
    size: int,
    nothing: Float[np.ndarray, " programs"] | float = 0.0,
) -> Coreset:
    """Add the sequence that raises the sum of the programs' best rewards most, until there are ``size``, or none raises it.

    Every gain is computed at every step: the reference of :func:`lazy_greedy`.

    Parameters
    ----------
    rewards
        Of each sequence on each program.
    lengths
        Passes of each: of equal gains the shorter sequence is taken, then the first.
    size
        At most.
    nothing
        The reward of applying no pass, per program or for all.

    Raises
    ------
    ConfigError
        ``size`` is below 1.
    InvalidProblem
        There is no program or no sequence, a reward is not finite, or lengths are not those of the sequences.
    """
    covered, chosen, coverage = _begun(rewards, lengths, size, nothing)
    while len(chosen) < size:
        left = [s for s in range(rewards.shape[1]) if s not in chosen]
        best = min(left, key=lambda s: (-_gain(rewards, s, covered), lengths[s], s), default=None)
        if best is None or not _gain(rewards, best, covered):
            break
        _take(rewards, best, covered, chosen, coverage)
    return Coreset(tuple(chosen), np.array(coverage))


def lazy_greedy(
    rewards: Float[np.ndarray, "programs sequences"],
    lengths: Sequence[int],
    size: int,
    nothing: Float[np.ndarray, " programs"] | float = 0.0,
) -> Coreset:
    """The same set as :func:`greedy`: a gain never grows, so only those are computed again that may be the largest.

    References
    ----------
    Minoux, Accelerated greedy algorithms for maximizing submodular set functions, Optimization Techniques (1978).
    """
    covered, chosen, coverage = _begun(rewards, lengths, size, nothing)
    waiting = [(-_gain(rewards, s, covered), lengths[s], s, 0) for s in range(rewards.shape[1])]
    heapq.heapify(waiting)
    while waiting and len(chosen) < size:
        loss, length, s, known_at = heapq.heappop(waiting)
        if not loss:
            break
        if known_at == len(chosen):
            _take(rewards, s, covered, chosen, coverage)
        else:
            heapq.heappush(waiting, (-_gain(rewards, s, covered), length, s, len(chosen)))
    return Coreset(tuple(chosen), np.array(coverage))


def _begun(
    rewards: np.ndarray, lengths: Sequence[int], size: int, nothing: np.ndarray | float
) -> tuple[np.ndarray, list[int], list[float]]:
    at_least("coreset.", size=(size, 1))
    programs, sequences = rewards.shape
    if not programs or not sequences:
        raise InvalidProblem(f"coreset: there are {programs} programs and {sequences} sequences; give one of each")
    if len(lengths) != sequences:
        raise InvalidProblem(f"coreset: there are {len(lengths)} lengths for {sequences} sequences")
    if not np.isfinite(rewards).all():
        raise InvalidProblem("coreset: a reward is not finite; leave out programs without a reference")
    covered = np.broadcast_to(np.asarray(nothing, float), programs).copy()
    return covered, [], [float(covered.mean())]


def _gain(rewards: np.ndarray, sequence: int, covered: np.ndarray) -> float:
    return round(float(np.maximum(rewards[:, sequence] - covered, 0.0).sum()), _DIGITS)


def _take(rewards: np.ndarray, best: int, covered: np.ndarray, chosen: list[int], coverage: list[float]) -> None:
    np.maximum(covered, rewards[:, best], out=covered)
    chosen.append(best)
    coverage.append(float(covered.mean()))


def reward(
    least: np.ndarray, initial: np.ndarray, reference: np.ndarray, against: str = "oz"
) -> Float[np.ndarray, "programs ..."]:
    """Share of the instructions that is saved, of the compiler's own level of size or of the unoptimised module.

    Parameters
    ----------
    least
        (programs, ...) least counts.
    initial, reference
        (programs,) counts without any pass, and after the level.
    against
        ``oz`` or ``o0``.

    Raises
    ------
    ConfigError
        ``against`` is neither.
    InvalidProblem
        A program has no instruction left to save.
    """
    if against not in ("oz", "o0"):
        raise ConfigError(f"coreset.reward is '{against}'; choose oz or o0")
    whole = np.asarray(reference if against == "oz" else initial, float)
    if (whole <= 0).any():
        raise InvalidProblem(f"program {int(np.argmax(whole <= 0))} has no instruction to save; leave it out")
    whole = whole.reshape(-1, *[1] * (np.ndim(least) - 1))
    return (whole - least) / whole
