"""Anytime traces and their metrics, shared by every paper that searches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


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
        """The four columns as arrays of equal length, for a checkpoint or a table."""
        return {
            "seconds": np.asarray(self.seconds, dtype=float),
            "evaluations": np.asarray(self.evaluations, dtype=np.int64),
            "objective": np.asarray(self.objective, dtype=float),
            "bound": np.asarray(self.bound, dtype=float),
        }

    @classmethod
    def from_arrays(cls, columns: dict[str, np.ndarray], maximize: bool = False) -> Trace:
        """Inverse of :meth:`to_arrays`."""
        return cls(
            maximize=maximize,
            seconds=[float(v) for v in columns["seconds"]],
            evaluations=[int(v) for v in columns["evaluations"]],
            objective=[float(v) for v in columns["objective"]],
            bound=[float(v) for v in columns["bound"]],
        )

    def __len__(self) -> int:
        return len(self.seconds)
