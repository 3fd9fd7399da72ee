"""What a search through an oracle tells besides its answer (docs/papers/surco.md#9)."""

from __future__ import annotations

import numpy as np

from solvers.base import Solution


def through_oracle(solution: Solution) -> dict[str, float]:
    """Calls of the oracle, and means over the steps of the shares of gradients that are 0 and of variables that changed."""
    log = solution.log
    found = {"oracle_calls": float(np.sum(log["oracle_calls"]))} if "oracle_calls" in log else {}
    for name, metric in (("zero_gradient", "zero_gradients"), ("hamming", "changed_variables")):
        if len(column := log.get(name, np.empty(0))):
            found[metric] = float(np.mean(column))
    return found
