"""Where a descent begins (docs/papers/surco.md#3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float

from models.cost_network import CostNetwork
from runs.errors import ConfigError
from solvers.differentiable.parametrisation import Parametrisation
from solvers.differentiable.rules.interpolation import positive


class Start(ABC):
    """Draws or finds the first latent."""

    @abstractmethod
    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        """The first latent; ``scorer`` is what the search was given to predict costs, or None."""


class Normal(Start):
    """Every latent is normal around ``mean``.

    Raises
    ------
    ConfigError
        ``deviation`` is not above 0.
    """

    def __init__(self, mean: float = 0.0, deviation: float = 1.0) -> None:
        self.mean, self.deviation = mean, positive("deviation", deviation)

    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        return rng.normal(self.mean, self.deviation, parametrisation.latents(variables, problem))


class Uniform(Start):
    """Every latent is uniform between ``low`` and ``high``.

    Raises
    ------
    ConfigError
        ``low`` is not below ``high``.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        if not low < high:
            raise ConfigError(f"solver.start.low is {low}; it must be below solver.start.high, {high}")
        self.low, self.high = low, high

    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        return rng.uniform(self.low, self.high, parametrisation.latents(variables, problem))


class Constant(Start):
    """Every latent is the same number."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        return np.full(parametrisation.latents(variables, problem), float(self.value))


class Attribute(Start):
    """Costs that the problem has: the means of its edges, say.

    Parameters
    ----------
    name
        Of the attribute, (variables,).
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        costs = getattr(problem, self.name, None)
        if costs is None:
            raise ConfigError(
                f"solver.start.name is '{self.name}', but a {type(problem).__name__} has no such attribute"
            )
        return parametrisation.latent(given(costs, variables, f"solver.start.name={self.name}"), problem)


class Predicted(Start):
    """The latent that a prior predicts: the hybrid method.

    Parameters
    ----------
    scale
        Times the prediction.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = positive("scale", scale)

    def latent(
        self, variables: int, problem: Any, parametrisation: Parametrisation, scorer: Any, rng: np.random.Generator
    ) -> Float[np.ndarray, " latents"]:
        if not isinstance(scorer, CostNetwork):
            raise ConfigError(
                "the descent is to start at predicted costs, but there is no prior; choose one with model=..."
            )
        return self.scale * given(scorer.latent(problem), parametrisation.latents(variables, problem), "the prediction")


def given(costs: Any, variables: int, what: str) -> Float[np.ndarray, " variables"]:
    """Costs as an array.

    Raises
    ------
    ConfigError
        They are not as many as the variables, or not finite.
    """
    array = np.asarray(costs, np.float64)
    if array.shape != (variables,) or not np.isfinite(array).all():
        raise ConfigError(f"{what} has shape {array.shape}; expected ({variables},), each a finite number")
    return array
