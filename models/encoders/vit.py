"""The vision transformer; recipes may hide patches from it or replace them by a mask token."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.encoders.patches import grid_of
from models.encoders.positions import grid_positions
from models.encoders.transformer import Transformer
from runs.errors import ConfigError

Pool = Literal["cls", "mean"]
Positions = Literal["learned", "sincos"]


class VisionTransformer(nn.Module):
    """Patches and a [CLS] token through pre-norm blocks with GELU: images to h.

    Parameters
    ----------
    image_size
        Side of the images in pixels; others are read with interpolated positions.
    patch
        Side of a patch, which divides that of the images.
    width
        Dimension of a token and of h.
    layers
        Number of blocks.
    heads
        Of the attention.
    feed_forward
        Hidden width of the feed-forward networks over ``width``.
    pool
        h is the [CLS] token ("cls") or the mean of the patches' tokens ("mean"), after the last norm.
    positions
        "learned", or fixed sines and cosines ("sincos").
    drop_path
        Of the last block; the blocks before it have evenly less.
    channels
        Of the images.

    Attributes
    ----------
    patches
        Number of patches of an image of ``image_size``.
    grid
        Its rows and columns of patches.

    Raises
    ------
    ConfigError
        The patch does not divide the image, or a name is unknown.

    References
    ----------
    Dosovitskiy et al., An image is worth 16x16 words (2021), section 3.1.
    """

    positions: Tensor

    def __init__(
        self,
        image_size: int,
        patch: int,
        width: int,
        layers: int,
        heads: int,
        feed_forward: int = 4,
        pool: Pool = "cls",
        positions: Positions = "learned",
        drop_path: float = 0.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        for name, value, known in (("pool", pool, ("cls", "mean")), ("positions", positions, ("learned", "sincos"))):
            if value not in known:
                raise ConfigError(f"{name} of the vision transformer is '{value}'; choose {' or '.join(known)}")
        self.grid = grid_of(image_size, image_size, patch)
        self.patches = self.grid[0] * self.grid[1]
        self.patch, self.width, self.channels, self.pool = patch, width, channels, pool
        self.embedding = nn.Conv2d(channels, width, patch, patch)
        self.cls = nn.Parameter(torch.empty(width))
        self.transformer = Transformer(
            layers, width, heads, feed_forward * width, norm="pre", activation="gelu", drop_path=drop_path
        )
        if positions == "learned":
            self.positions = nn.Parameter(nn.init.trunc_normal_(torch.empty(1 + self.patches, width), std=0.02))
        else:
            places = torch.cat([torch.zeros(1, width), grid_positions(*self.grid, width)])
            self.register_buffer("positions", places, persistent=False)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.embedding.weight.view(self.width, -1))
        nn.init.zeros_(self.embedding.bias)  # type: ignore[arg-type]
        nn.init.trunc_normal_(self.cls, std=0.02)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width"]:
        """h of each image."""
        return self.pooled(self.tokens(images))

    def tokens(
        self,
        images: Float[Tensor, "batch channels height width"],
        keep: Int[Tensor, "batch kept"] | None = None,
        mask: Bool[Tensor, "batch patches"] | None = None,
        mask_token: Float[Tensor, " width"] | None = None,
    ) -> Float[Tensor, "batch 1+kept width"]:
        """The [CLS] token and those of the patches after the last norm.

        Parameters
        ----------
        images
            Normalised.
        keep
            Indices of the patches that enter, row by row, in the order of the tokens; None for all.
        mask
            Patches whose embedding is replaced by ``mask_token``, which gets their positions.
        mask_token
            Needed with ``mask``.
        """
        return self.transformer(self.embedded(images, keep, mask, mask_token))[0]

    def outputs(
        self,
        images: Float[Tensor, "batch channels height width"],
        mask: Bool[Tensor, "batch patches"] | None = None,
        mask_token: Float[Tensor, " width"] | None = None,
    ) -> list[Float[Tensor, "batch 1+patches width"]]:
        """The tokens after every block, before the last norm."""
        return self.transformer.outputs(self.embedded(images, None, mask, mask_token))

    def attention(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "layers batch heads tokens tokens"]:
        """Attention weights of every block; row and column 0 are those of [CLS]."""
        maps = self.transformer(self.embedded(images), need_weights=True)[1]
        assert maps is not None
        return maps

    def pooled(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch width"]:
        """h of tokens after the last norm."""
        return tokens[:, 0] if self.pool == "cls" else tokens[:, 1:].mean(1)

    def embedded(
        self,
        images: Float[Tensor, "batch channels height width"],
        keep: Int[Tensor, "batch kept"] | None = None,
        mask: Bool[Tensor, "batch patches"] | None = None,
        mask_token: Float[Tensor, " width"] | None = None,
    ) -> Float[Tensor, "batch 1+kept width"]:
        """What enters the first block; arguments as in :meth:`tokens`."""
        grid = grid_of(images.shape[2], images.shape[3], self.patch)
        x = self.embedding(images).flatten(2).transpose(1, 2)
        if mask is not None:
            if mask_token is None:
                raise ConfigError("patches are masked but there is no mask token to stand for them")
            x = torch.where(mask[..., None], mask_token.to(x.dtype), x)
        positions = self._positions_of(grid).to(x.dtype)
        x = x + positions[1:]
        if keep is not None:
            x = x.gather(1, keep[..., None].expand(-1, -1, self.width))
        return torch.cat([(self.cls.to(x.dtype) + positions[:1]).expand(len(x), -1, -1), x], dim=1)

    def _positions_of(self, grid: tuple[int, int]) -> Float[Tensor, "tokens width"]:
        if grid == self.grid:
            return self.positions
        own = self.positions[1:].T.unflatten(1, self.grid)[None]
        resized = functional.interpolate(own, grid, mode="bicubic", antialias=True)
        return torch.cat([self.positions[:1], resized[0].flatten(1).T])

    def layers(self) -> list[list[nn.Parameter]]:
        """The parameters from the patches to h: embeddings, every block, the last norm."""
        embeddings = [*self.embedding.parameters(), self.cls]
        if isinstance(self.positions, nn.Parameter):
            embeddings.append(self.positions)
        parts = [*self.transformer.blocks, self.transformer.last_norm]
        return [embeddings, *(list(part.parameters()) for part in parts)]
