"""How each search on each instance ended, in words, and where methods contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import pandas as pd

FLAGS = ("feasible", "proved", "infeasible", "unbounded")
"""Metrics, 0 or 1, that a search leaves for an instance."""
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


def contradictions(found: pd.DataFrame) -> list[str]:
    """What cannot all be true, a sentence per instance."""
    return [text for _, rows in found.groupby(["paper", "instance"], sort=True) for text in _contradictions(rows)]


def _contradictions(rows: pd.DataFrame) -> Iterator[str]:
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
