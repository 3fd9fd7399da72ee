"""alpha-ReQ: how fast the spectrum of the features decays, without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol, Sizes
from tasks.images.representation.spectrum import covariance_eigenvalues, require_finite

NOTHING = 1e-12
"""Eigenvalues below this share of the first are rounding errors."""


class PowerLaw(NamedTuple):
    """lambda_k ~ k^-alpha and the share of the variance of ln lambda_k that it explains (weighted)."""

    alpha: float
    r_squared: float


def power_law(spectrum: Float[Tensor, " values"], first: int = 11, last: int = 100) -> PowerLaw:
    """Weighted least squares of ln lambda_k on ln k, k = first .. min(last, number of values) from 1, weights 1/k.

    Eigenvalues that are nothing but rounding errors are left out; both numbers are NaN where fewer than three remain.

    References
    ----------
    Agrawal et al., alpha-ReQ (2022); range and weights as in the authors' code (docs/papers/ssl.md#5.2).
    """
    k = torch.arange(first, min(last, len(spectrum)) + 1, dtype=torch.float64, device=spectrum.device)
    values = spectrum.double()[first - 1 : last]
    present = values > NOTHING * spectrum[0]
    k, values = k[present], values[present]
    if len(k) < 3:
        return PowerLaw(math.nan, math.nan)
    x, y, weights = k.log(), values.log(), (1 / k) / (1 / k).sum()
    x, y = x - (weights * x).sum(), y - (weights * y).sum()
    slope = (weights * x * y).sum() / (weights * x * x).sum()
    residual, total = (weights * (y - slope * x) ** 2).sum(), (weights * y**2).sum()
    return PowerLaw(float(-slope), float(1 - residual / total) if total > 0 else math.nan)


@final
@dataclass(frozen=True)
class AlphaReQ(Protocol):
    """``alpha_req`` (near 1 is good) and ``alpha_req_r2``, of h of the clean training images.

    Parameters
    ----------
    first, last
        Eigenvalues of the fit, from 1.
    """

    first: int = 11
    last: int = 100
    supervised: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last - 2:
            raise ConfigError(
                f"alpha_req.first is {self.first} and last {self.last}; the fit needs three eigenvalues or more, from 1"
            )

    def check(self, sizes: Sizes) -> None:
        """The spectrum must reach beyond the first eigenvalue of the fit."""
        if sizes.width is not None and sizes.width < self.first + 2:
            raise ConfigError(
                f"first is {self.first}, and h has only {sizes.width} dimensions; give at most {sizes.width - 2}"
            )

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """The exponent of the decay and R squared of the fit."""
        h = parts.train.h
        require_finite(h, "alpha_req: h")
        if h.shape[1] < self.first + 2:
            raise ConfigError(
                f"alpha_req.first is {self.first}, but h has only {h.shape[1]} dimensions; lower it, or leave alpha_req out"
            )
        fit = power_law(covariance_eigenvalues(h), self.first, self.last)
        return {"alpha_req": fit.alpha, "alpha_req_r2": fit.r_squared}
