"""Plans in the making, as policies that place one table after the other see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NOWHERE = -1


class PartialPlans(NamedTuple):
    """Some tables of some tasks are placed, and the next is to be; any shape may stand before.

    Parameters
    ----------
    pieces
        (tables,) of the task, each by its row in a matrix of features; -1 fills up shorter tasks.
    device
        (tables,) where each is, or -1.
    table
        Position of the next in ``pieces``.
    progress
        Share of the tables that have had their turn.
    gib
        (devices,) memory used.
    legal
        (devices,) where the next may go.
    """

    pieces: Int[Tensor, "*batch tables"]
    device: Int[Tensor, "*batch tables"]
    table: Int[Tensor, "*batch"]
    progress: Float[Tensor, "*batch"]
    gib: Float[Tensor, "*batch devices"]
    legal: Bool[Tensor, "*batch devices"]


Encoder = Callable[[Tensor], Tensor]


def encodings(
    encode: Encoder, features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "*batch tables"]
) -> Float[Tensor, "*batch tables width"]:
    """Of every piece, zeros where there is none; each kind that occurs is encoded once."""
    kinds, places = pieces.clamp(min=0).unique(return_inverse=True)
    return encode(features[kinds])[places] * (pieces >= 0)[..., None]


def device_sums(
    encoded: Float[Tensor, "*batch tables width"], plans: PartialPlans
) -> Float[Tensor, "*batch devices width"]:
    """The sum of the encodings of what each device holds."""
    devices = torch.arange(plans.legal.shape[-1])
    held = (plans.device[..., None] == devices).to(encoded)
    return torch.einsum("...td,...tw->...dw", held, encoded)


def next_encoding(encoded: Float[Tensor, "*batch tables width"], plans: PartialPlans) -> Float[Tensor, "*batch width"]:
    """That of the table whose turn it is."""
    place = plans.table[..., None, None].expand(*plans.table.shape, 1, encoded.shape[-1])
    return encoded.gather(-2, place).squeeze(-2)
