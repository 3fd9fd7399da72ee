"""From a latent, which is free, to costs that an oracle takes (docs/papers/surco.md#3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError
from solvers.differentiable.rules.interpolation import positive


class Parametrisation(ABC):
    """A map with its exact derivative. ``problem`` is the one searched, for those that need its shape."""

    def latents(self, variables: int, problem: Any) -> int:
        """Length of the latent of a problem with so many variables."""
        return variables

    @abstractmethod
    def costs(self, latent: Float[np.ndarray, "*batch latents"], problem: Any) -> Float[np.ndarray, "*batch variables"]:
        """c."""

    @abstractmethod
    def pullback(
        self,
        latent: Float[np.ndarray, "*batch latents"],
        gradient: Float[np.ndarray, "*batch variables"],
        problem: Any,
    ) -> Float[np.ndarray, "*batch latents"]:
        """dloss/dlatent from dloss/dcosts."""

    @abstractmethod
    def latent(self, costs: Float[np.ndarray, " variables"], problem: Any) -> Float[np.ndarray, " latents"]:
        """A latent of these costs.

        Raises
        ------
        ConfigError
            There is none.
        """


class Direct(Parametrisation):
    """The costs themselves."""

    def costs(self, latent: Float[np.ndarray, "*batch latents"], problem: Any) -> Float[np.ndarray, "*batch variables"]:
        return latent

    def pullback(
        self,
        latent: Float[np.ndarray, "*batch latents"],
        gradient: Float[np.ndarray, "*batch variables"],
        problem: Any,
    ) -> Float[np.ndarray, "*batch latents"]:
        return gradient

    def latent(self, costs: Float[np.ndarray, " variables"], problem: Any) -> Float[np.ndarray, " latents"]:
        return costs


class Direction(Parametrisation):
    """The latent at a root mean square of 1: an oracle only sees directions, and noise of one size stays of one effect."""

    def costs(self, latent: Float[np.ndarray, "*batch latents"], problem: Any) -> Float[np.ndarray, "*batch variables"]:
        return latent / _root_mean_square(latent)

    def pullback(
        self,
        latent: Float[np.ndarray, "*batch latents"],
        gradient: Float[np.ndarray, "*batch variables"],
        problem: Any,
    ) -> Float[np.ndarray, "*batch latents"]:
        size = _root_mean_square(latent)
        costs = latent / size
        return (gradient - costs * (costs * gradient).mean(axis=-1, keepdims=True)) / size

    def latent(self, costs: Float[np.ndarray, " variables"], problem: Any) -> Float[np.ndarray, " latents"]:
        return costs / _root_mean_square(costs)


class Sigmoid(Parametrisation):
    """c = scale / (1 + exp(-latent)): costs above 0, as shortest paths need them.

    Raises
    ------
    ConfigError
        The scale is not above 0.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = positive("scale", scale)

    def costs(self, latent: Float[np.ndarray, "*batch latents"], problem: Any) -> Float[np.ndarray, "*batch variables"]:
        return self.scale * _sigmoid(latent)

    def pullback(
        self,
        latent: Float[np.ndarray, "*batch latents"],
        gradient: Float[np.ndarray, "*batch variables"],
        problem: Any,
    ) -> Float[np.ndarray, "*batch latents"]:
        return self.scale * gradient * _sigmoid(latent) * _sigmoid(-latent)

    def latent(self, costs: Float[np.ndarray, " variables"], problem: Any) -> Float[np.ndarray, " latents"]:
        if not ((costs > 0) & (costs < self.scale)).all():
            worst = int(np.argmin(np.minimum(costs, self.scale - costs)))
            raise ConfigError(
                f"the descent is to start at cost {costs[worst]:.6g} of variable {worst}, but a sigmoid only reaches costs "
                f"between 0 and solver.parametrisation.scale = {self.scale:g}"
            )
        return np.log(costs) - np.log(self.scale - costs)


def _sigmoid(latent: Float[np.ndarray, "*batch latents"]) -> Float[np.ndarray, "*batch latents"]:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-latent))


def _root_mean_square(latent: Float[np.ndarray, "*batch latents"]) -> Float[np.ndarray, "*batch 1"]:
    size = np.sqrt(np.square(latent).mean(axis=-1, keepdims=True))
    return np.where(size > 0, size, 1.0)
