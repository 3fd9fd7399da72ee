"""What training has done to the attention of the one-layer transformer, as numbers (docs/papers/scan_snap.md#4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AttentionPath:
    """The attention to each class's own tokens along the training of many models.

    Parameters
    ----------
    steps
        Numbers of updates done at each moment; the first and the last moment are start and end of training.
    c
        (moments, cells, R, K, own) share of attention of the class's tokens; its common tokens first.
    z
        (moments, cells, R, K, own) attention logits of the class's query.
    distinct
        How many of the own tokens, the last ones and in increasing co-occurrence, are distinct to the class.
    """

    steps: Sequence[int]
    c: Float[Tensor, "moments cells R K own"]
    z: Float[Tensor, "moments cells R K own"]
    distinct: int

    def measure(self, middle: int, snapshot: int | None = None) -> dict[str, Float[Tensor, "cells R"]]:
        """Every one of :data:`QUANTITIES` by name, mean over classes.

        ``middle`` is the step that divides early from late, ``snapshot`` the last one of the heat map, if there is one.
        """
        own, distinct = self.c.shape[-1], self.distinct
        common = own - distinct
        share = self.c[-1, ..., common:]
        share = share / share.sum(-1, keepdim=True)
        gain = self.z[-1] - self.z[0]
        common_share = self.c[..., :common].sum(-1)
        measured = {
            "entropy": torch.special.entr(share).sum(-1).mean(-1),
            "top_share": share.amax(-1).mean(-1),
            "common_share_change": (common_share[-1] - common_share[0]).mean(-1),
            "distinct_rising": (gain[..., common:] > 0).to(gain.dtype).mean((-1, -2)),
            "common_falling": (gain[..., :common] < 0).to(gain.dtype).mean((-1, -2)),
            "gain_order": _rank_correlation(gain[..., common:]).mean(-1),
            "late_movement": self._late_movement(middle),
        }
        if snapshot is not None:
            fall = common_share - common_share[0]
            measured["early_fade"] = (fall[list(self.steps).index(snapshot)] / fall[-1]).mean(-1)
        return measured

    def _late_movement(self, middle: int) -> Float[Tensor, "cells R"]:
        """How far c moves in the late part of training over how far it moved in the early part (1-norms)."""
        half = self.c[list(self.steps).index(middle)]
        early, late = ((b - a).abs().sum((-1, -2)) for a, b in ((self.c[0], half), (half, self.c[-1])))
        return late / early


QUANTITIES = {
    "entropy": "entropy of c over the distinct tokens of a class, renormalised, in nats: the quantity of Fig. 6",
    "top_share": "share of the most attended distinct token among the distinct tokens of a class",
    "common_share_change": "change of the share of attention that common tokens get",
    "distinct_rising": "share of the distinct tokens l of a class whose z_ml rose",
    "common_falling": "share of the common tokens l whose z_ml fell",
    "gain_order": "Spearman's correlation of the change of z_ml with P(l|n) over the distinct tokens of a class",
    "late_movement": "movement of c in the second half of training over that in the first half",
    "early_fade": "share of the fall of common attention that the last snapshot of the heat map has seen",
}


def slope(x: Float[Tensor, " points"], y: Float[Tensor, "points ..."]) -> Float[Tensor, " ..."]:
    """Least-squares slopes of ``y`` over ``x``."""
    centred = x - x.mean()
    return torch.tensordot(centred, y, dims=([0], [0])) / (centred @ centred)


def _rank_correlation(values: Float[Tensor, "... tokens"]) -> Float[Tensor, " ..."]:
    """Spearman's correlation of the values with their position; NaN for one token."""
    size = values.shape[-1]
    ranks = values.argsort(-1).argsort(-1).to(values.dtype)
    position = torch.arange(size, dtype=values.dtype)
    squares = (ranks - position).square().sum(-1)
    return 1 - 6 * squares / (size * (size * size - 1)) if size > 1 else torch.full_like(squares, torch.nan)
