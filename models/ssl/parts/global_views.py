"""The views of full size as one tensor, for recipes that do not compare views."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from models.ssl.recipe import ViewBatch
from runs.errors import ConfigError


def stacked_global_views(batch: ViewBatch) -> Float[Tensor, "rows channels height width"]:
    """All images of the first full-size view, then those of the second, and so on.

    Raises
    ------
    ConfigError
        There is no view of full size.
    """
    if batch.global_views < 1:
        raise ConfigError("a batch has no view of full size; data.views must make at least one")
    return torch.cat(batch.views[: batch.global_views]) if batch.global_views > 1 else batch.views[0]
