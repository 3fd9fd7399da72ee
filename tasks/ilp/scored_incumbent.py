"""The scores of one incumbent's variables beside the set that local branching changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tasks.ilp.ranking import auc


@dataclass(frozen=True, eq=False)
class ScoredIncumbent:
    """One incumbent with the scores of the variables that can be chosen and the set A* of local branching.

    Parameters
    ----------
    variables
        (v,) int, columns of the problem.
    values, scores
        (v,) incumbent and scores.
    best
        (v,) bool, A*: what local branching changes.
    improvement
        What that gains.
    """

    variables: np.ndarray
    values: np.ndarray
    scores: np.ndarray
    best: np.ndarray
    improvement: float

    @property
    def order(self) -> np.ndarray:
        """(v,) the variables by falling score, ties in their own order."""
        return np.argsort(-self.scores, kind="stable")

    def recall(self, k: int) -> float:
        """Share of A* among the ``k`` highest scores."""
        return float(self.best[self.order[:k]].sum() / self.best.sum())

    def auc(self) -> float:
        """Probability that a member of A* scores higher than another variable; NaN where all are members."""
        return float(auc(torch.from_numpy(self.scores), torch.from_numpy(self.best)))
