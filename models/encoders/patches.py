"""Images cut into square patches, and put together again."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError


def grid_of(height: int, width: int, patch: int) -> tuple[int, int]:
    """Rows and columns of patches.

    Raises
    ------
    ConfigError
        The patch does not divide the image.
    """
    if patch < 1 or height % patch or width % patch or not height or not width:
        raise ConfigError(f"patch is {patch}, which does not divide an image of {height} x {width}")
    return height // patch, width // patch


def patchify(images: Float[Tensor, "batch channels height width"], patch: int) -> Float[Tensor, "batch patches pixels"]:
    """Pixels of every patch, patches row by row; in a patch channel by channel, then row by row.

    Raises
    ------
    ConfigError
        The patch does not divide the image.
    """
    grid_of(images.shape[2], images.shape[3], patch)
    cut = images.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(
    patches: Float[Tensor, "batch patches pixels"], patch: int, grid: tuple[int, int]
) -> Float[Tensor, "batch channels height width"]:
    """The inverse of :func:`patchify` for a grid of (rows, columns)."""
    cut = patches.unflatten(2, (-1, patch, patch)).unflatten(1, grid)
    return cut.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
