"""What the learning rates do to the attention that is left, on the flow (docs/papers/scan_snap.md#4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.dynamics.one_layer_path import FollowedDynamics, distinct_entropy

FROM_RATIO = 2.0
"""The smallest eta_y / eta_z from which on a larger one is said to leave attention denser."""


@dataclass(frozen=True)
class LearningRates:
    """A grid of rates, and when to look.

    Parameters
    ----------
    eta_z
        Rates of the attention, increasing.
    ratios
        eta_y / eta_z, increasing; two of them at least 2.
    time
        Time at which the entropy is read: steps times step size of the update, 1 / (1 - momentum) with momentum.

    Raises
    ------
    ConfigError
        Fewer than two rates or ratios from 2 on, not increasing, or a time that is not positive.
    """

    eta_z: Sequence[float] = (0.5, 1.0, 2.0, 3.0)
    ratios: Sequence[float] = (1.0, 2.0, 5.0, 10.0)
    time: float = 1000.0

    def __post_init__(self) -> None:
        for name in ("eta_z", "ratios"):
            values = np.asarray(getattr(self, name), dtype=float)
            if len(values) < 2 or values[0] <= 0 or not np.all(np.diff(values) > 0):
                raise ConfigError(f"task.learning_rates.{name} is {getattr(self, name)}; give two or more, increasing")
        if sum(ratio >= FROM_RATIO for ratio in self.ratios) < 2:
            raise ConfigError(f"task.learning_rates.ratios is {self.ratios}; give at least two from {FROM_RATIO:g} on")
        if not self.time > 0:
            raise ConfigError(f"task.learning_rates.time is {self.time}; give a positive number")


def entropies(
    solver: FollowedDynamics, data: CoOccurrence, rates: LearningRates, budget: Budget
) -> Float[np.ndarray, "rates ratios"]:
    """Final entropy of attention over distinct tokens at every pair of rates."""

    def final(eta_z: float, ratio: float) -> float:
        dynamics, moment = solver.end(data, ratio * eta_z, eta_z, rates.time, budget)
        return distinct_entropy(dynamics, moment.c)

    return np.array([[final(eta_z, ratio) for ratio in rates.ratios] for eta_z in rates.eta_z])


def control(rates: LearningRates, entropy: Float[np.ndarray, "rates ratios"]) -> dict[str, float]:
    """Whether larger ratios (from 2 on) raise the entropy and larger eta_z lower it.

    ``entropy_of_ratio`` and ``entropy_of_rate`` are the mean changes from the smallest to the largest, in nats;
    ``entropy_of_ratio_least`` and ``entropy_of_rate_greatest`` the least favourable change between two neighbouring cells.
    """
    from_two = entropy[:, [ratio >= FROM_RATIO for ratio in rates.ratios]]
    return {
        "entropy_of_ratio": float(np.mean(from_two[:, -1] - from_two[:, 0])),
        "entropy_of_ratio_least": float(np.diff(from_two, axis=1).min()),
        "entropy_of_rate": float(np.mean(entropy[-1] - entropy[0])),
        "entropy_of_rate_greatest": float(np.diff(entropy, axis=0).max()),
    }
