"""Anytime traces and their metrics, shared by every paper that searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Clock = Literal["seconds", "evaluations"]
"""What an anytime curve is drawn over."""


@dataclass
class Trace:
    """The anytime curve of one search: a right-continuous step function.

    Row i says: after ``seconds[i]`` (monotone clock, from before the initial solution) and ``evaluations[i]`` the best
    objective known was ``objective[i]`` and the best bound on the optimum ``bound[i]`` (NaN if none). The first row is the
    first solution; the last row is the end of the search, whether or not it improved. Values are in the problem's own sense.
    """

    maximize: bool = False
    seconds: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    objective: list[float] = field(default_factory=list)
    bound: list[float] = field(default_factory=list)

    def record(self, seconds: float, evaluations: int, objective: float, bound: float = np.nan) -> None:
        """Append a row; time and evaluations never run backwards (the record clamps them)."""
        if self.seconds:
            seconds = max(seconds, self.seconds[-1])
            evaluations = max(evaluations, self.evaluations[-1])
        self.seconds.append(float(seconds))
        self.evaluations.append(int(evaluations))
        self.objective.append(float(objective))
        self.bound.append(float(bound))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The four columns as arrays (rows,), for a checkpoint or a table."""
        return {
            "seconds": np.asarray(self.seconds, dtype=float),
            "evaluations": np.asarray(self.evaluations, dtype=np.int64),
            "objective": np.asarray(self.objective, dtype=float),
            "bound": np.asarray(self.bound, dtype=float),
        }

    @classmethod
    def from_arrays(cls, columns: dict[str, np.ndarray], maximize: bool = False) -> Trace:
        """Inverse of :meth:`to_arrays`: columns (rows,)."""
        return cls(
            maximize=maximize,
            seconds=[float(v) for v in columns["seconds"]],
            evaluations=[int(v) for v in columns["evaluations"]],
            objective=[float(v) for v in columns["objective"]],
            bound=[float(v) for v in columns["bound"]],
        )

    def __len__(self) -> int:
        return len(self.seconds)

    def value_at(self, at: npt.ArrayLike, by: Clock = "seconds") -> np.ndarray:
        """Best objective known at each point of ``at`` (any shape); NaN before the first solution.

        The curve is right-continuous: a solution found at t counts at t.
        """
        axis = np.asarray(getattr(self, by), dtype=float)
        row = np.searchsorted(axis, np.asarray(at, dtype=float), side="right") - 1
        return np.concatenate([[np.nan], self.objective])[row + 1]


def primal_gap(value: npt.ArrayLike, best: npt.ArrayLike) -> np.ndarray:
    """Primal gap p of ``value`` to the best value known, element by element; always in [0, 1].

    1 without a solution (NaN or infinite) and where the signs differ, 0 where the values are equal, else
    ``|v - v*| / max(|v|, |v*|, 1e-8)``.

    References
    ----------
    Berthold, Measuring the impact of primal heuristics, Operations Research Letters 41 (2013).
    """
    v, v_star = np.broadcast_arrays(np.asarray(value, dtype=float), np.asarray(best, dtype=float))
    known = np.isfinite(v) & np.isfinite(v_star)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(v - v_star) / np.maximum(np.maximum(np.abs(v), np.abs(v_star)), 1e-8)
    opposite = np.sign(v) * np.sign(v_star) < 0
    return np.where(known & ~opposite, np.where(v == v_star, 0.0, np.minimum(gap, 1.0)), 1.0)


def primal_integral(trace: Trace, horizon: float, best: float, by: Clock = "seconds") -> float:
    """Integral of the primal gap from 0 to ``horizon``, exact for the step function; the gap is 1 before the first solution.

    In seconds or in evaluations, as ``by`` says. The last value holds until the horizon.
    """
    steps = np.clip(np.asarray(getattr(trace, by), dtype=float), 0.0, horizon)
    gaps = np.concatenate([[1.0], primal_gap(np.asarray(trace.objective, dtype=float), best)])
    return float(gaps @ np.diff(np.concatenate([[0.0], steps, [horizon]])))


def gap_matrix(traces: Sequence[Trace], best: npt.ArrayLike, grid: npt.ArrayLike, by: Clock = "seconds") -> np.ndarray:
    """Primal gap of every trace at every grid point, (traces, grid); ``best`` holds one value per trace."""
    values = [trace.value_at(grid, by) for trace in traces]
    return primal_gap(np.reshape(values, (len(traces), np.size(grid))), np.reshape(best, (-1, 1)))


def gap_curve(traces: Sequence[Trace], best: npt.ArrayLike, grid: npt.ArrayLike, by: Clock = "seconds") -> np.ndarray:
    """Primal gap averaged over the traces, (grid,)."""
    return gap_matrix(traces, best, grid, by).mean(axis=0)


def survival_curve(
    traces: Sequence[Trace],
    best: npt.ArrayLike,
    grid: npt.ArrayLike,
    threshold: float = 0.01,
    by: Clock = "seconds",
) -> np.ndarray:
    """Share of the traces whose primal gap is at most ``threshold``, (grid,)."""
    return (gap_matrix(traces, best, grid, by) <= threshold).mean(axis=0)


def attains_best(values: npt.ArrayLike, maximize: npt.ArrayLike = False, tolerance: float = 1e-9) -> np.ndarray:
    """True where a method has the best value of all methods; ``values`` is (methods, ...), ``maximize`` broadcasts to (...).

    Values within ``tolerance`` of the best, relative to the larger magnitude, tie and all count. A method without a
    solution (NaN) is never best.
    """
    cost = np.where(np.asarray(maximize), -1.0, 1.0) * np.asarray(values, dtype=float)
    cost = np.where(np.isfinite(cost), cost, np.inf)
    best = cost.min(axis=0)
    found = np.isfinite(cost)
    with np.errstate(invalid="ignore"):
        close = cost - best <= tolerance * np.maximum(np.abs(cost), np.abs(best))
    return found & close


def best_performing_rate(values: npt.ArrayLike, maximize: npt.ArrayLike = False) -> np.ndarray:
    """Share of instances on which each method attains the best value of all methods.

    ``values`` is (methods, instances, ...), the result (methods, ...); ties count for each.
    """
    return attains_best(values, maximize).mean(axis=1)
