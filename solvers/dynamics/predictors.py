"""How the predictor's eigenvalues come about: trained, absent, or set from the correlation's spectrum."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError


class Predictor(ABC):
    """Abstract: eigenvalues of W_p in the eigenbasis of the correlation F."""

    trained: bool = False
    """Whether p is a state of its own that follows the loss' gradient."""
    follows_correlation: bool = False
    """Whether p is set from F."""

    @abstractmethod
    def eigenvalues(self, p: Float[np.ndarray, " d"], s: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """p in effect, given p's own state and the eigenvalues s of (the average of) F, up to a common factor."""


class TrainedPredictor(Predictor):
    """A linear layer trained beside the encoder, as in BYOL and SimSiam."""

    trained = True

    def eigenvalues(self, p: Float[np.ndarray, " d"], s: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Its own state."""
        return p


class NoPredictor(Predictor):
    """The identity."""

    def eigenvalues(self, p: Float[np.ndarray, " d"], s: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Ones."""
        return np.ones_like(s)


class DirectPredictor(Predictor):
    """DirectPred: ``p_j = sqrt(max(s_j, 0) / s_max) + epsilon``, not below ``floor`` (docs/papers/ssl.md#(25)).

    Parameters
    ----------
    epsilon
        Added to all eigenvalues, so that weak modes are still pushed.
    floor
        Least eigenvalue.

    Raises
    ------
    ConfigError
        A number is negative.
    """

    follows_correlation = True

    def __init__(self, epsilon: float = 0.01, floor: float = 1e-4) -> None:
        if epsilon < 0 or floor < 0:
            raise ConfigError(f"epsilon is {epsilon} and floor {floor}; neither may be negative")
        self.epsilon, self.floor = epsilon, floor

    def eigenvalues(self, p: Float[np.ndarray, " d"], s: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """The rule; all ``epsilon`` where F vanishes."""
        share = np.clip(s, 0, None) / max(float(s.max()), np.finfo(float).tiny)
        return np.maximum(np.sqrt(share) + self.epsilon, self.floor)


class DirectSet(Predictor):
    """DirectSet(a): ``W_p = F^a / ||F^a|| + epsilon I``, the spectral norm; a = 1 is DirectCopy.

    docs/papers/ssl.md#(25).

    Parameters
    ----------
    power
        a.
    epsilon
        Added to all eigenvalues.

    Raises
    ------
    ConfigError
        ``power`` is not positive or ``epsilon`` negative.
    """

    follows_correlation = True

    def __init__(self, power: float = 1.0, epsilon: float = 0.01) -> None:
        if not power > 0 or epsilon < 0:
            raise ConfigError(f"power is {power} and epsilon {epsilon}; give a positive power and no negative epsilon")
        self.power, self.epsilon = power, epsilon

    def eigenvalues(self, p: Float[np.ndarray, " d"], s: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """The rule; all ``epsilon`` where F vanishes."""
        share = np.clip(s, 0, None) / max(float(s.max()), np.finfo(float).tiny)
        return share**self.power + self.epsilon
