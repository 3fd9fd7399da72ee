"""What the attention logits Z and the decoder Y of the one-layer transformer are made of (docs/papers/scan_snap.md#2.2).

Both forms keep a leading axis R of replicas, one per seed, and only the parts of the M x M matrices that can matter: a row
of Z that is never queried and a column or row of a token that is never attended to gets no gradient and changes no output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from runs.errors import ConfigError

Init = Literal["uniform", "zeros"]
Fill = Callable[..., Any]


@dataclass(frozen=True)
class Shape:
    """Sizes of Z, (heads, rows, width), and of Y, (heads * width, vocabulary).

    Parameters
    ----------
    vocabulary_size
        M, the number of tokens.
    first_row, rows
        The ids of the tokens that query.
    width
        The tokens 0 to ``width - 1`` are attended to.
    heads
        Number of attention heads.
    """

    vocabulary_size: int
    first_row: int
    rows: int
    width: int
    heads: int = 1


class Pairwise(nn.Module):
    """Z and Y themselves are the parameters.

    Parameters
    ----------
    shape
        Sizes of Z and Y.
    seeds
        One per replica; a replica's start depends on its own seed alone.
    init
        "uniform", the default of ``nn.Linear(M, M)``: within 1 / sqrt(M) of zero; or "zeros".

    Raises
    ------
    ConfigError
        ``init`` is unknown.
    """

    def __init__(self, shape: Shape, seeds: Sequence[int], init: Init = "uniform") -> None:
        super().__init__()
        fill = _uniform(_bound(init, shape.vocabulary_size))
        start = _by_seed(
            seeds,
            Z=((shape.heads, shape.rows, shape.width), fill),
            Y=((shape.heads * shape.width, shape.vocabulary_size), fill),
        )
        self.Z, self.Y = nn.Parameter(start["Z"]), nn.Parameter(start["Y"])

    def forward(self) -> tuple[Float[Tensor, "R heads rows width"], Float[Tensor, "R heads_width vocabulary"]]:
        """Z and Y."""
        return self.Z, self.Y

    def attention_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at the rate eta_Z."""
        yield self.Z

    def decoder_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at the rate eta_Y."""
        yield self.Y


class Embedding(nn.Module):
    """Z = U W_Q W_K^T U^T / sqrt(d) and Y = U W_V^T U^T with frozen embeddings U of dimension d.

    U has orthogonal columns and rows of mean square length one: with d = M it is orthonormal, as the theory has it. W_Q, W_K
    and W_V start as ``nn.Linear(d, d)`` does.

    Parameters
    ----------
    shape
        Sizes of Z and Y.
    seeds
        One per replica.
    init
        "uniform" only: at zero the product W_Q W_K^T would stay zero.
    dimension
        d, at most M.

    Raises
    ------
    ConfigError
        ``init`` is not "uniform", or ``dimension`` is not between 1 and M.
    """

    def __init__(self, shape: Shape, seeds: Sequence[int], init: Init = "uniform", dimension: int = 64) -> None:
        super().__init__()
        if not 1 <= dimension <= shape.vocabulary_size:
            raise ConfigError(
                f"dimension of the embedding is {dimension}; it must lie between 1 and the {shape.vocabulary_size} tokens"
            )
        if init != "uniform":
            raise ConfigError(
                f"init of the embedding parametrization is '{init}'; use uniform: W_Q = W_K = 0 has no gradient"
            )
        self.shape, self.dimension = shape, dimension
        square = (shape.heads, dimension, dimension), _uniform(_bound(init, dimension))
        gain = math.sqrt(shape.vocabulary_size / dimension)
        vectors = (shape.vocabulary_size, dimension), partial(nn.init.orthogonal_, gain=gain)
        start = _by_seed(seeds, W_Q=square, W_K=square, W_V=square, U=vectors)
        self.W_Q, self.W_K, self.W_V = (nn.Parameter(start[name]) for name in ("W_Q", "W_K", "W_V"))
        self.register_buffer("U", start["U"])

    def forward(self) -> tuple[Float[Tensor, "R heads rows width"], Float[Tensor, "R heads_width vocabulary"]]:
        """Z and Y."""
        shape, U = self.shape, self.get_buffer("U")[:, None]
        asked = U[:, :, shape.first_row : shape.first_row + shape.rows]
        seen = U[:, :, : shape.width]
        Z = (asked @ self.W_Q) @ (seen @ self.W_K).mT / math.sqrt(self.dimension)
        Y = (seen @ self.W_V.mT) @ U.mT
        return Z, Y.flatten(1, 2)

    def attention_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at the rate eta_Z."""
        yield from (self.W_Q, self.W_K)

    def decoder_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at the rate eta_Y."""
        yield self.W_V


def _bound(init: str, fan_in: int) -> float:
    if init not in ("uniform", "zeros"):
        raise ConfigError(f"init of the one-layer transformer is '{init}'; choose uniform or zeros")
    return 1 / math.sqrt(fan_in) if init == "uniform" else 0.0


def _uniform(bound: float) -> Fill:
    return lambda tensor, generator: tensor.uniform_(-bound, bound, generator=generator)


def _by_seed(seeds: Sequence[int], **parts: tuple[tuple[int, ...], Fill]) -> dict[str, Tensor]:
    """Tensors of given sizes behind a leading replica axis, each replica filled from its own seed."""
    tensors = {name: torch.empty(len(seeds), *size) for name, (size, _) in parts.items()}
    for replica, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        for name, (_, fill) in parts.items():
            fill(tensors[name][replica], generator=generator)
    return tensors
