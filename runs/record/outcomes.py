"""How each search on each instance ended, in words, and where methods contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import numpy as np
import pandas as pd

FLAGS = ("feasible", "proved", "infeasible", "unbounded")
"""Metrics, 0 or 1, that a search leaves for an instance."""
OBJECTIVES = ("objective", "primal_bound", "dual_bound")
"""Metrics in the sense and scale of their instance."""
COLUMNS = ["paper", "experiment", "method", "instance", "seed", "status", "primal_bound", "dual_bound"]
TOLERANCE = 1e-5
"""Two values proved optimal agree within this, relative to the larger magnitude and at least absolutely."""


class Outcome(StrEnum):
    """What is known of an instance after a search."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    NO_SOLUTION = "no solution"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"


def outcomes(results: pd.DataFrame) -> pd.DataFrame:
    """A row of :data:`COLUMNS` per search; none for results that are not searches'. Absent bounds are NaN."""
    keys, wanted = COLUMNS[:5], (*FLAGS, "primal_bound", "dual_bound")
    rows = results[results["metric"].isin(wanted)]
    wide = rows.drop_duplicates([*keys, "metric"]).set_index([*keys, "metric"])["value"].unstack("metric")
    if not set(FLAGS) <= set(wide.columns):
        return pd.DataFrame(columns=COLUMNS)
    wide = wide.reindex(columns=list(wanted)).dropna(subset=list(FLAGS)).reset_index()
    status = np.select(
        [wide["unbounded"] > 0, wide["infeasible"] > 0, (wide["feasible"] > 0) & (wide["proved"] > 0), wide["feasible"] > 0],
        [str(Outcome.UNBOUNDED), str(Outcome.INFEASIBLE), str(Outcome.OPTIMAL), str(Outcome.FEASIBLE)],
        str(Outcome.NO_SOLUTION),
    )  # fmt: skip
    return wide.assign(status=status)[COLUMNS]


def without_optimum(found: pd.DataFrame) -> set[tuple[str, str]]:
    """The (paper, instance) pairs of which a gap means nothing: proved infeasible or unbounded."""
    claimed = found[found["status"].isin([Outcome.INFEASIBLE, Outcome.UNBOUNDED])]
    return set(zip(claimed["paper"], claimed["instance"], strict=True))


def contradictions(found: pd.DataFrame, senses: Mapping[tuple[str, str], bool] | None = None) -> list[str]:
    """What cannot all be true, a sentence per instance; ``senses`` are True for what is maximised."""
    return [
        text
        for (paper, instance), rows in found.groupby(["paper", "instance"], sort=True)
        for text in _contradictions(rows, (senses or {}).get((str(paper), str(instance))))
    ]


def _contradictions(rows: pd.DataFrame, maximize: bool | None) -> Iterator[str]:
    instance = rows["instance"].iloc[0]

    def methods(*statuses: Outcome) -> list[str]:
        return sorted(set(rows.loc[rows["status"].isin(statuses), "method"]))

    infeasible, unbounded, optimal = (
        methods(status) for status in (Outcome.INFEASIBLE, Outcome.UNBOUNDED, Outcome.OPTIMAL)
    )
    solved = methods(Outcome.OPTIMAL, Outcome.FEASIBLE, Outcome.UNBOUNDED)
    if infeasible and solved:
        yield f"{instance}: {', '.join(infeasible)} proved it infeasible, but {', '.join(solved)} found a solution"
    if unbounded and optimal:
        yield f"{instance}: {', '.join(unbounded)} proved it unbounded, but {', '.join(optimal)} an optimum"
    values = rows.loc[rows["status"] == Outcome.OPTIMAL, "primal_bound"]
    if len(values) and values.max() - values.min() > TOLERANCE * max(1.0, values.abs().max()):
        yield f"{instance}: {', '.join(optimal)} proved different optima, {values.min():.12g} and {values.max():.12g}"
    if maximize is not None:
        yield from _crossing(instance, rows, -1.0 if maximize else 1.0)


def _crossing(instance: str, rows: pd.DataFrame, sign: float) -> Iterator[str]:
    """A bound that a solution passes; minimised, or with ``sign`` -1 maximised."""
    values, bounds = (sign * rows[name].to_numpy(dtype=float) for name in ("primal_bound", "dual_bound"))
    methods = rows["method"].tolist()
    if not np.isfinite(values).any() or not np.isfinite(bounds).any():
        return
    best = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
    bound = int(np.nanargmax(np.where(np.isfinite(bounds), bounds, np.nan)))
    if bounds[bound] - values[best] > TOLERANCE * max(1.0, abs(values[best])):
        yield (
            f"{instance}: {methods[bound]} proved the bound {sign * bounds[bound]:.12g}, but {methods[best]} found a "
            f"solution of {sign * values[best]:.12g}"
        )
