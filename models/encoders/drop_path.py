"""Stochastic depth: in training a row skips a residual branch."""

from __future__ import annotations

from torch import Tensor, nn

from models.encoders.shared_draw import shared_uniform


class DropPath(nn.Module):
    """Sets whole rows of a residual branch to zero; the others grow by 1 / (1 - probability).

    Parameters
    ----------
    probability
        That a row is dropped.

    References
    ----------
    Huang et al., Deep networks with stochastic depth (2016).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"drop_path is {probability}; give a number in [0, 1)")
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (batch, ...), one view of the images, with rows dropped, in training only."""
        if not self.training or self.probability == 0:
            return x
        keep = shared_uniform(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.probability
        return x * keep / (1 - self.probability)

    def extra_repr(self) -> str:
        return f"probability={self.probability}"
