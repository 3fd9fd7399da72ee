"""Gradient flow of a two-layer linear BYOL, eigenmode by eigenmode (docs/papers/ssl.md#6.2; Tian et al. 2021).

For x = u + noise with u ~ N(0, I), noise of variance sigma^2, and the target tau W x' behind a stop-gradient,

    dp/dt = alpha s (tau - (1 + sigma^2) p) - eta p
    ds/dt = 2 p s (tau - (1 + sigma^2) p) - 2 eta s

so s - p^2 / alpha decays as e^{-2 eta t}. A predictor that is set rather than trained follows a moving average of F, whose
modes f obey df/dt = forgetting (s - f). If the target passes its gradient on, the encoder's modes w = sqrt(s) descend
1/2 s ((1 + sigma^2)(p^2 + tau^2) - 2 p tau), which is never negative: ds/dt <= -2 eta s, whatever the predictor does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from data.pairs.modes import Modes
from runs import interrupt
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.predictors import Predictor


@dataclass(frozen=True)
class Rates:
    """The numbers of the flow; its time is the encoder's learning rate times the steps.

    Parameters
    ----------
    alpha
        Rate of the predictor over that of the encoder.
    target_ratio
        tau.
    variance
        sigma^2 of the augmentation.
    decay
        eta, of the weights.
    forgetting
        Rate at which the average of F forgets: (1 - rho) over the learning rate for F <- rho F + (1 - rho) mean z z^T.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """

    alpha: float = 1.0
    target_ratio: float = 1.0
    variance: float = 0.1
    decay: float = 0.04
    forgetting: float = 0.5

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and self.forgetting > 0):
            raise ConfigError(
                f"rates.alpha is {self.alpha} and rates.forgetting {self.forgetting}; both must be positive"
            )
        if not 0 < self.target_ratio <= 1 or self.variance < 0 or self.decay < 0:
            raise ConfigError(
                f"rates: target_ratio {self.target_ratio} must be in (0, 1], variance {self.variance} and decay "
                f"{self.decay} not negative"
            )

    @property
    def critical_decay(self) -> float:
        """tau^2 / (4 (1 + sigma^2)): with more weight decay than this every start collapses."""
        return self.target_ratio**2 / (4 * (1 + self.variance))

    @property
    def fixed_points(self) -> tuple[float, float] | None:
        """p of the saddle and of the stable point beside collapse, both on s = p^2 / alpha; None if there are none."""
        if self.decay > self.critical_decay:
            return None
        root = np.sqrt(self.target_ratio**2 - 4 * self.decay * (1 + self.variance))
        low, high = ((self.target_ratio + sign * root) / (2 * (1 + self.variance)) for sign in (-1, 1))
        return float(low), float(high)


class TwinFlow:
    """The flow of all modes, which do not touch each other unless the predictor is set from all of them.

    Parameters
    ----------
    modes
        The start.
    rates
        Its numbers.
    predictor
        Where p comes from.
    stop_gradient
        Whether the target is held constant.
    """

    def __init__(self, modes: Modes, rates: Rates, predictor: Predictor, stop_gradient: bool) -> None:
        self.modes, self.rates, self.predictor, self.stop_gradient = modes, rates, predictor, stop_gradient

    @property
    def initial(self) -> Float[np.ndarray, " 3d"]:
        """p, s, and f = s."""
        return np.concatenate([self.modes.predictor, self.modes.correlation, self.modes.correlation])

    def velocity(self, time: float, state: Float[np.ndarray, " 3d"]) -> Float[np.ndarray, " 3d"]:
        """dp/dt (zero unless trained), ds/dt, df/dt."""
        own, s, f = np.split(state, 3)
        p, rates = self.predictor.eigenvalues(own, f), self.rates
        pull = rates.target_ratio - (1 + rates.variance) * p
        dp = rates.alpha * s * pull - rates.decay * p if self.predictor.trained else np.zeros_like(s)
        growth = p * pull
        if not self.stop_gradient:
            growth = growth + rates.target_ratio * (p - (1 + rates.variance) * rates.target_ratio)
        return np.concatenate([dp, 2 * s * (growth - rates.decay), rates.forgetting * (s - f)])


@dataclass(frozen=True, eq=False)
class TwinPath:
    """The modes at n times.

    Parameters
    ----------
    times
        (n,) of the flow.
    predictor, correlation
        (n, d) p in effect, and s.
    """

    times: Float[np.ndarray, " n"]
    predictor: Float[np.ndarray, "n d"]
    correlation: Float[np.ndarray, "n d"]


class FollowedTwins:
    """A solver that follows the flow from given modes.

    Parameters
    ----------
    predictor
        Where p comes from.
    stop_gradient
        Whether the target is held constant.
    integrator
        How the flow is followed.
    """

    def __init__(self, predictor: Predictor, stop_gradient: bool, integrator: FlowIntegrator) -> None:
        self.predictor, self.stop_gradient, self.integrator = predictor, stop_gradient, integrator

    def follow(
        self, modes: Modes, rates: Rates, times: Float[np.ndarray, " n"], budget: Budget | None = None
    ) -> TwinPath:
        """Integrate and observe at ``times``, the first of which is 0.

        Raises
        ------
        SolverFailure
            The budget ended before the last time, or the integrator gave up.
        Interrupted
            A signal came.
        """
        found = self.integrator.integrate(self.flow(modes, rates), times, budget=budget)
        interrupt.check()
        if not found.complete:
            raise SolverFailure(
                f"the budget ended after {found.evaluations} evaluations, before time {times[-1]:g}; raise task.budget"
            )
        own, s, f = np.split(found.states, 3, axis=1)
        p = np.stack([self.predictor.eigenvalues(*state) for state in zip(own, f, strict=True)])
        return TwinPath(found.times, p, s)

    def flow(self, modes: Modes, rates: Rates) -> TwinFlow:
        """The flow itself."""
        return TwinFlow(modes, rates, self.predictor, self.stop_gradient)


def effective_rank(s: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """exp of the entropy of the modes' shares."""
    share = s / s.sum(-1, keepdims=True)
    return np.exp(entr(share).sum(-1))
