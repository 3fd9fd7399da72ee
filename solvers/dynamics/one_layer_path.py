"""A one-layer transformer followed in time: its dynamics integrated, and what the theorems speak of observed on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from data.text.synthetic import CoOccurrence
from runs import interrupt
from runs.errors import SolverFailure
from solvers.base import Budget
from solvers.dynamics.flow import Flow, FlowIntegrator, Trajectory, WithIntegrals
from solvers.dynamics.one_layer_transformer import Moment, OneLayerDynamics


@dataclass(frozen=True, eq=False)
class Path:
    """Observations at n times; classes (K), context tokens (L), distinct tokens of a class (U).

    Parameters
    ----------
    dynamics
        What was followed.
    times
        (n,) in steps of SGD without momentum.
    states
        (n, dimension) flat states, for ``dynamics.split``.
    z, dz, c, f
        (n, K, L) attention logits of each class's query, their velocity, token weights and features.
    alpha
        (n, K) probability of the right next token.
    xi
        (n, K, U) growth factors dz_ml / f_nl^2, from every distinct token of a class.
    gamma
        (n, K) how strongly f_n itself is still pushed: the coefficient of f_n in Y (e_n - alpha_n) on the distinct tokens.
    growth
        (n, K) B_n, the integral of xi_n, measured from the class's dominant token.
    pushed
        (n, K) integral of gamma.
    evaluations, seconds
        The cost.
    """

    dynamics: OneLayerDynamics
    times: Float[np.ndarray, " n"]
    states: Float[np.ndarray, "n dimension"]
    z: Float[np.ndarray, "n K L"]
    dz: Float[np.ndarray, "n K L"]
    c: Float[np.ndarray, "n K L"]
    f: Float[np.ndarray, "n K L"]
    alpha: Float[np.ndarray, "n K"]
    xi: Float[np.ndarray, "n K U"]
    gamma: Float[np.ndarray, "n K"]
    growth: Float[np.ndarray, "n K"]
    pushed: Float[np.ndarray, "n K"]
    evaluations: int
    seconds: float

    def of_distinct(self, values: Float[np.ndarray, "n K L"]) -> Float[np.ndarray, "n K U"]:
        """The part of an observation that belongs to each class's distinct tokens, in increasing co-occurrence."""
        return _take(values, self.dynamics.distinct)

    @property
    def fitted_at(self) -> float:
        """t0' = K ln M / eta_y, when theory expects the decoder to have fitted (docs/papers/scan_snap.md#(14))."""
        data = self.dynamics.data
        return fitting_time(data, self.dynamics.eta_y)

    def until(self, end: float) -> Path:
        """The part up to a time."""
        n = int(np.searchsorted(self.times, end, side="right"))
        observed = ("times", "states", "z", "dz", "c", "f", "alpha", "xi", "gamma", "growth", "pushed")
        return replace(self, **{name: getattr(self, name)[:n] for name in observed})


class FollowedDynamics:
    """A solver that follows one kind of dynamics of the one-layer transformer from Y = 0, Z = 0.

    Parameters
    ----------
    dynamics
        :class:`OneLayerDynamics` given data and rates: the gradient flow, or the paper's reduction of it.
    integrator
        How it is followed.
    """

    def __init__(
        self, dynamics: Callable[[CoOccurrence, float, float], OneLayerDynamics], integrator: FlowIntegrator
    ) -> None:
        self.dynamics, self.integrator = dynamics, integrator

    def follow(
        self,
        data: CoOccurrence,
        eta_y: float,
        eta_z: float,
        times: Sequence[float] | Float[np.ndarray, " n"],
        budget: Budget | None = None,
    ) -> Path:
        """Integrate and observe at ``times``, the first of which is 0.

        Raises
        ------
        SolverFailure
            The budget ended before the last time, or the integrator gave up.
        Interrupted
            A signal came.
        """
        dynamics = self.dynamics(data, eta_y, eta_z)
        flow = WithIntegrals(dynamics, lambda time, state, velocity: _integrand(dynamics, state))
        trajectory = self._whole(flow, times, budget)
        states, integrals = flow.split(trajectory.states)
        moments = [dynamics.observe(state) for state in states]
        z, dz, c, f = (np.stack([getattr(m, name) for m in moments]) for name in ("z", "dz", "c", "f"))
        right = np.arange(dynamics.classes), dynamics.next_column
        return Path(
            dynamics=dynamics,
            times=trajectory.times,
            states=states,
            z=z,
            dz=dz,
            c=c,
            f=f,
            alpha=np.stack([m.alpha[right] for m in moments]),
            xi=_take(dz, dynamics.distinct) / _take(f, dynamics.distinct) ** 2,
            gamma=np.stack([_gamma(dynamics, m) for m in moments]),
            growth=integrals[:, : dynamics.classes],
            pushed=integrals[:, dynamics.classes :],
            evaluations=trajectory.evaluations,
            seconds=trajectory.seconds,
        )

    def end(
        self, data: CoOccurrence, eta_y: float, eta_z: float, time: float, budget: Budget | None = None
    ) -> tuple[OneLayerDynamics, Moment]:
        """What is observed at one time, at less cost than a path; errors as in :meth:`follow`."""
        dynamics = self.dynamics(data, eta_y, eta_z)
        return dynamics, dynamics.observe(self._whole(dynamics, (0.0, time), budget).states[-1])

    def _whole(self, flow: Flow, times: Sequence[float] | np.ndarray, budget: Budget | None) -> Trajectory:
        trajectory = self.integrator.integrate(flow, np.asarray(times, dtype=float), budget=budget)
        interrupt.check()
        if not trajectory.complete:
            raise SolverFailure(
                f"the budget ended after {trajectory.seconds:.1f} s and {trajectory.evaluations} evaluations, before time "
                f"{times[-1]:g}; raise task.budget or shorten the path"
            )
        return trajectory


def distinct_entropy(dynamics: OneLayerDynamics, c: Float[np.ndarray, "K L"]) -> float:
    """Entropy in nats of c over a class's distinct tokens alone, mean over the classes (docs/papers/scan_snap.md#(15))."""
    from scipy.special import entr

    share = _take(c, dynamics.distinct)
    return float(entr(share / share.sum(axis=-1, keepdims=True)).sum(axis=-1).mean())


def fitting_time(data: CoOccurrence, eta_y: float) -> float:
    """t0' = K ln M / eta_y (docs/papers/scan_snap.md#(14))."""
    return float(data.classes * np.log(data.vocabulary_size) / eta_y)


def _integrand(dynamics: OneLayerDynamics, state: np.ndarray) -> np.ndarray:
    """(2 K,) xi_n from the dominant token, and gamma_n."""
    moment = dynamics.observe(state)
    dominant = dynamics.distinct[:, -1:]
    xi = _take(moment.dz, dominant) / _take(moment.f, dominant) ** 2
    return np.concatenate([xi[:, 0], _gamma(dynamics, moment)])


def _gamma(dynamics: OneLayerDynamics, moment: Moment) -> Float[np.ndarray, " K"]:
    """Least squares of v_n on f_n over the distinct tokens, where no other class's features reach."""
    f, v = _take(moment.f, dynamics.distinct), _take(moment.v, dynamics.distinct)
    return np.sum(f * v, axis=-1) / np.sum(f * f, axis=-1)


def _take(values: Float[np.ndarray, "... K L"], tokens: Int[np.ndarray, "K some"]) -> Float[np.ndarray, "... K some"]:
    return np.take_along_axis(values, np.broadcast_to(tokens, (*values.shape[:-2], *tokens.shape)), axis=-1)
