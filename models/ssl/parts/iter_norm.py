"""Whitening of groups of features by Newton's iterations, as the last layer of vibcreg's projector."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts.state.gather import gather
from runs.errors import ConfigError


class IterNorm(nn.Module):
    """Multiplies centred features by an approximate inverse square root of their covariance, group by group.

    In training the statistics are those of the batch of all processes; in evaluation their moving averages.

    Parameters
    ----------
    width
        Features, a multiple of ``groups``.
    groups
        Features are whitened within groups of width / groups.
    iterations
        Of Newton's method; each brings the covariance nearer to the identity.
    momentum
        Weight of a new batch in the moving averages.
    eps
        Added to the diagonal of the covariance.
    affine
        Scale and shift each feature afterwards.

    Raises
    ------
    ConfigError
        ``groups`` does not divide ``width``, or ``iterations`` is below 1.

    References
    ----------
    Huang et al., Iterative normalization: beyond standardization towards efficient whitening (2019), algorithm 1.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(
        self,
        width: int,
        groups: int = 64,
        iterations: int = 5,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
    ) -> None:
        super().__init__()
        if groups < 1 or width % groups:
            raise ConfigError(f"groups of the iterative norm is {groups}; it must divide the width of {width}")
        if iterations < 1:
            raise ConfigError(f"iterations of the iterative norm is {iterations}; give at least 1")
        self.groups, self.iterations, self.momentum, self.eps = groups, iterations, momentum, eps
        size = width // groups
        self.register_buffer("mean", torch.zeros(groups, 1, size))
        self.register_buffer("whitening", torch.eye(size).repeat(groups, 1, 1))
        self.weight = nn.Parameter(torch.ones(width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(width)) if affine else None

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """The whitened rows, in single precision or better."""
        with torch.autocast(x.device.type, enabled=False):
            grouped = self._grouped(x if x.dtype == torch.float64 else x.float())
            mean, whitening = self._statistics(grouped) if self.training else (self.mean, self.whitening)
            white = ((grouped - mean) @ whitening).transpose(0, 1).flatten(1)
            return white if self.weight is None or self.bias is None else white * self.weight + self.bias

    def _grouped(self, x: Tensor) -> Float[Tensor, "groups batch size"]:
        return x.unflatten(1, (self.groups, -1)).transpose(0, 1)

    def _statistics(self, own: Float[Tensor, "groups batch size"]) -> tuple[Tensor, Tensor]:
        rows = gather(own.transpose(0, 1).contiguous()).transpose(0, 1)
        mean = rows.mean(1, keepdim=True)
        centred = rows - mean
        identity = torch.eye(rows.shape[2], dtype=rows.dtype, device=rows.device)
        covariance = centred.mT @ centred / rows.shape[1] + self.eps * identity
        whitening = inverse_square_root(covariance, self.iterations)
        with torch.no_grad():
            self.mean.lerp_(mean.to(self.mean.dtype), self.momentum)
            self.whitening.lerp_(whitening.to(self.whitening.dtype), self.momentum)
        return mean, whitening


def inverse_square_root(
    matrices: Float[Tensor, "groups size size"], iterations: int
) -> Float[Tensor, "groups size size"]:
    """S^-1/2 of symmetric positive definite matrices: P <- (3 P - P^3 S / tr S) / 2 from P = I, over the root of tr S."""
    trace = matrices.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    normalised = matrices / trace
    root = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device).expand_as(matrices)
    for _ in range(iterations):
        root = 1.5 * root - 0.5 * torch.linalg.matrix_power(root, 3) @ normalised
    return root / trace.sqrt()
