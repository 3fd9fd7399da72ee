"""Linear maps of rows and columns: crop, flip, resize and blur are two small matrices per sample."""

from __future__ import annotations

import torch
from jaxtyping import Num
from torch import Tensor


def apply(
    images: Num[Tensor, "batch channels height width"],
    rows: Num[Tensor, "batch new_height height"],
    columns: Num[Tensor, "batch width new_width"],
) -> Num[Tensor, "batch channels new_height new_width"]:
    """rows X columns of each sample and channel, in two products per sample: the channels lie side by side."""
    batch, channels, height, width = images.shape
    beside = images.permute(0, 2, 1, 3).to(columns.dtype).reshape(batch, height * channels, width)
    narrow = torch.bmm(beside, columns).view(batch, height, -1)
    return torch.bmm(rows, narrow).view(batch, rows.shape[1], channels, -1).permute(0, 2, 1, 3).contiguous()
