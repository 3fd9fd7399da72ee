"""Two linear layers that predict each other's output: the smallest network in which BYOL can, or cannot, collapse."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class LinearTwins(nn.Module):
    """Independent replicas of ``z = W x``, ``p = W_p z``; the target is ``tau W x'`` of another view.

    docs/papers/ssl.md#6.2.

    Parameters
    ----------
    encoder, predictor
        (replicas, d, d) W and W_p to start from.
    target_ratio
        tau.
    stop_gradient
        Whether the target is held constant.
    trains_predictor
        False: W_p is a buffer that others set, or that stays.
    """

    def __init__(
        self,
        encoder: Float[Tensor, "replicas d d"],
        predictor: Float[Tensor, "replicas d d"],
        target_ratio: float = 1.0,
        stop_gradient: bool = True,
        trains_predictor: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = nn.Parameter(encoder.clone())
        self.predictor: Tensor
        if trains_predictor:
            self.predictor = nn.Parameter(predictor.clone())
        else:
            self.register_buffer("predictor", predictor.clone())
        self.target_ratio, self.stop_gradient = target_ratio, stop_gradient

    def forward(self, x: Float[Tensor, "replicas batch d"]) -> Float[Tensor, "replicas batch d"]:
        """z of a view."""
        return x @ self.encoder.mT

    def loss(
        self, first: Float[Tensor, "replicas batch d"], second: Float[Tensor, "replicas batch d"]
    ) -> Float[Tensor, ""]:
        """``1/2 |W_p W x - tau W x'|^2``, mean over the batch, sum over the replicas."""
        target = self.target_ratio * self(second)
        if self.stop_gradient:
            target = target.detach()
        errors = self(first) @ self.predictor.mT - target
        return errors.square().sum(-1).mean(-1).sum() / 2
