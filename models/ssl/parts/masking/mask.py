"""What a masking is, and the patches it shows and hides."""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from runs.errors import ConfigError


class Masking(Protocol):
    """Which patches are hidden, drawn alike however many ranks share the rows."""

    def __call__(
        self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1
    ) -> Bool[Tensor, "rows patches"]:
        """Hidden patches, equally many of every row; ``views`` of the images follow one another in the rows."""
        ...


def hidden_count(share: float, patches: int) -> int:
    """Number of hidden patches (or of larger cells).

    Raises
    ------
    ConfigError
        None or all of them would be hidden.
    """
    count = round(share * patches)
    if not 0 < count < patches:
        raise ConfigError(
            f"masking.share is {share}, which hides {count} of {patches} patches; some must be hidden and some visible"
        )
    return count


def visible_and_hidden(
    mask: Bool[Tensor, "rows patches"],
) -> tuple[Int[Tensor, "rows visible"], Int[Tensor, "rows hidden"]]:
    """Indices of the visible and of the hidden patches of every row, in the order of the grid.

    Raises
    ------
    ConfigError
        A row has no visible or no hidden patch, or the rows differ in their number.
    """
    counts = mask.sum(1)
    hidden, most = (int(count) for count in counts.aminmax())
    if hidden != most or not 0 < hidden < mask.shape[1]:
        raise ConfigError(
            f"a mask hides {hidden} to {most} of {mask.shape[1]} patches; every image needs equally many, some and not all"
        )
    order = mask.to(torch.uint8).argsort(stable=True, dim=1)
    return order[:, :-hidden], order[:, -hidden:]


def taken(patches: Shaped[Tensor, "rows patches ..."], index: Int[Tensor, "rows k"]) -> Shaped[Tensor, "rows k ..."]:
    """The indexed patches of every row."""
    return patches[torch.arange(len(patches), device=index.device)[:, None], index]
