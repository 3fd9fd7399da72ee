"""How many queries a prior saves, those of its training counted (docs/papers/surco.md#3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runs.anytime import Trace

SAVED, TRAINING = "queries_saved", "training_queries"
WITHIN = 0.01
"""Of a value, how much worse still counts as reached: as for the survival rate."""


def saving(own: Trace, plain: Trace, most: int | None, reached: tuple[float, float] | None = None) -> dict[str, float]:
    """Queries of two searches until each is within 1 % of what the second, which does without a prior, reaches in the end.

    Parameters
    ----------
    own, plain
        Over queries, of the search that starts from a prior and of the other.
    most
        The budget of both, with which a search counts that never gets there; None: the longer of the two.
    reached
        Queries of both until each has what is asked of it, NaN where it never has; in place of the 1 %.
    """
    if not len(own) or not len(plain):
        return {}
    budget = most or max(own.evaluations[-1], plain.evaluations[-1])
    if reached is None:
        needed, without = (queries_to(trace, plain.objective[-1], budget) for trace in (own, plain))
    else:
        needed, without = (float(budget) if math.isnan(queries) else queries for queries in reached)
    return {"queries_to_match": needed, "queries_without_prior": without, SAVED: without - needed}


def queries_to(trace: Trace, wanted: float, most: int) -> float:
    """Evaluations until the objective is no worse than ``wanted`` by more than :data:`WITHIN`; ``most`` if it never is."""
    sense = -1.0 if trace.maximize else 1.0
    for at, value in zip(trace.evaluations, trace.objective, strict=True):
        if sense * (value - wanted) <= WITHIN * abs(wanted):
            return float(at)
    return float(most)


def break_even(saved: Sequence[float], training: float) -> str:
    """A sentence on the queries saved on each instance against those of the training."""
    mean = math.fsum(saved) / len(saved)
    if mean <= 0:
        return (
            f"the prior saves no queries ({mean:.3g} for each instance): its {training:.0f} training queries never pay"
        )
    return (
        f"the prior saves {mean:.3g} queries for each instance; its {training:.0f} training queries have paid from "
        f"{math.ceil(training / mean)} instances on"
    )
