"""Costs of pixels from a latent image that a brush smooths (docs/papers/surco.md#3.7)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError
from solvers.differentiable.parametrisation import Parametrisation
from solvers.differentiable.rules.interpolation import positive
from solvers.photonics.generator import Painted
from solvers.photonics.touches import brush_sums


class Brushed(Parametrisation):
    """c = -tanh(beta times the mean of the latent below the brush), of which nothing lies outside of the design.

    A pixel with a large latent is cheap to make solid.

    Parameters
    ----------
    beta
        How sharp; above 0.
    """

    def __init__(self, beta: float = 2.0) -> None:
        self.beta = positive("beta", beta)

    def _mean(
        self, images: Float[np.ndarray, "*batch latents"], problem: Painted
    ) -> Float[np.ndarray, "*batch latents"]:
        rule = problem.rule
        sums = brush_sums(images.reshape(*images.shape[:-1], *rule.shape), rule.brush)
        return sums.reshape(images.shape) / rule.brush.sum()

    def costs(self, latent: Float[np.ndarray, "*batch latents"], problem: Any) -> Float[np.ndarray, "*batch variables"]:
        return -np.tanh(self.beta * self._mean(latent, problem))

    def pullback(
        self,
        latent: Float[np.ndarray, "*batch latents"],
        gradient: Float[np.ndarray, "*batch variables"],
        problem: Any,
    ) -> Float[np.ndarray, "*batch latents"]:
        slope = 1 - np.tanh(self.beta * self._mean(latent, problem)) ** 2
        flipped = gradient * -self.beta * slope
        rule = problem.rule
        turned = brush_sums(flipped.reshape(*flipped.shape[:-1], *rule.shape), rule.brush[::-1, ::-1])
        return turned.reshape(gradient.shape) / rule.brush.sum()

    def latent(self, costs: Float[np.ndarray, " variables"], problem: Any) -> Float[np.ndarray, " latents"]:
        raise ConfigError("a descent on brushed latents starts at latents, not at costs; leave 'initial' out")
