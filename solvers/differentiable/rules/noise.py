"""Noise on costs: each row draws its own copies (docs/papers/surco.md#3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float


class Noise(Protocol):
    """Draws of the shape of a row."""

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "copies variables"]: ...


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "copies variables"]:
    """Standard normal."""
    return rng.standard_normal(shape)


class SumOfGamma:
    """Sum-of-Gamma noise, near to what turns the argmin over sets of k elements into a draw from their distribution.

    ``(1/k) (sum_{i=1..terms} Gamma(1/k, k/i) - log terms)``.

    References
    ----------
    Niepert, Minervini, Franceschi, Implicit MLE: backpropagating through discrete exponential family distributions,
    NeurIPS 2021, section 3.2.
    """

    def __init__(self, k: int, terms: int = 10) -> None:
        self.k, self.terms = k, terms

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "copies variables"]:
        scales = self.k / np.arange(1, self.terms + 1)
        sums = rng.gamma(1 / self.k, scales, (*shape, self.terms)).sum(axis=-1)
        return (sums - math.log(self.terms)) / self.k


def draws(
    noise: Noise,
    sigma: float,
    copies: int,
    costs: Float[np.ndarray, "batch variables"],
    rngs: Sequence[np.random.Generator],
) -> Float[np.ndarray, "batch copies variables"]:
    """sigma times the noise of every row."""
    return sigma * np.stack([noise(rng, (copies, costs.shape[1])) for rng in rngs])
