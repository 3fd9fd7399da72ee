"""Flows dx/dt = v(t, x), integrated by scipy within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget, Meter

METHODS = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")


class Flow(Protocol):
    """An autonomous or driven system of ordinary differential equations.

    ``initial`` is the state at the first time.
    """

    @property
    def initial(self) -> Float[np.ndarray, " dimension"]: ...

    def velocity(self, time: float, state: Float[np.ndarray, " dimension"]) -> Float[np.ndarray, " dimension"]:
        """dx/dt."""
        ...


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States of a flow at the times asked for, as far as the budget went.

    Parameters
    ----------
    times
        (n,) times reached.
    states
        (n, dimension) states at these times.
    complete
        False if the budget ended or a signal came before the last time.
    evaluations, seconds
        How often the velocity was computed, and the wall-clock time.
    interpolant
        The state at any time up to the end, if asked for: ``interpolant(t)`` of shape (dimension,).
    """

    times: Float[np.ndarray, " n"]
    states: Float[np.ndarray, "n dimension"]
    complete: bool
    evaluations: int
    seconds: float
    interpolant: Callable[[float], np.ndarray] | None = None


class FlowIntegrator:
    """Adaptive integration by ``scipy.integrate.solve_ivp``.

    Parameters
    ----------
    method
        A method of ``solve_ivp``: explicit ("DOP853", "RK45", "RK23") or, for stiff flows of few dimensions, implicit.
    rtol, atol
        Tolerances of one step, relative and absolute.

    Raises
    ------
    ConfigError
        Unknown method, or a tolerance that is not positive.
    """

    def __init__(self, method: str = "DOP853", rtol: float = 1e-9, atol: float = 1e-12) -> None:
        if method not in METHODS:
            raise ConfigError(f"solver.method is {method!r}; choose one of {', '.join(METHODS)}")
        for name, value in (("rtol", rtol), ("atol", atol)):
            if not 0 < value < 1:
                raise ConfigError(f"solver.{name} is {value}; expected a tolerance between 0 and 1")
        self.method, self.rtol, self.atol = method, rtol, atol

    def integrate(
        self,
        flow: Flow,
        times: Float[np.ndarray, " n"],
        *,
        budget: Budget | None = None,
        dense: bool = False,
    ) -> Trajectory:
        """Follow the flow from its initial state at ``times[0]``.

        An evaluation of the budget is one of the velocity. The budget and signals are looked at after each step.

        Raises
        ------
        ConfigError
            ``times`` does not increase.
        SolverFailure
            The integrator gave up, or the velocity became infinite.
        """
        from scipy.integrate import solve_ivp

        times = np.asarray(times, dtype=float)
        if times.ndim != 1 or len(times) < 2 or not np.all(np.diff(times) > 0) or not np.isfinite(times).all():
            raise ConfigError("the times of a trajectory must be at least two finite numbers in increasing order")
        meter = (budget or Budget(seconds=np.inf)).start()

        asked_at = times[0]

        def velocity(time: float, state: np.ndarray) -> np.ndarray:
            nonlocal asked_at
            asked_at = time
            meter.evaluations += 1
            found = flow.velocity(time, state)
            if not np.isfinite(found).all():
                raise SolverFailure(f"the velocity of {type(flow).__name__} is not finite at time {time:g}")
            return found

        with interrupt.watch():
            answer = solve_ivp(
                velocity,
                (times[0], times[-1]),
                flow.initial,
                method=self.method,
                t_eval=times,
                rtol=self.rtol,
                atol=self.atol,
                dense_output=dense,
                events=_stop_when_exhausted(meter, times[0]),
            )
        if answer.status < 0:
            raise SolverFailure(
                f"{self.method} could not follow {type(flow).__name__} beyond time {asked_at:g}: {answer.message} "
                "Loosen solver.rtol, or choose an implicit solver.method"
            )
        return Trajectory(answer.t, answer.y.T, answer.status == 0, meter.evaluations, meter.seconds, answer.sol)


def _stop_when_exhausted(meter: Meter, start: float) -> Any:
    """A terminal event at the end of the first step after which the budget is spent.

    The root finder calls it again inside that step, so it must be a function of time: the moment is kept. It must change
    its sign, too: a budget spent before the start is noticed after the first step.
    """
    spent_at = np.inf

    def event(time: float, state: np.ndarray) -> float:
        nonlocal spent_at
        if spent_at == np.inf and time > start and meter.exhausted:
            spent_at = time
        return 1.0 if time < spent_at else -1.0

    event.terminal = True  # type: ignore[attr-defined]
    return event


class WithIntegrals:
    """A flow with integrals over its path appended to its state, so that they have the integrator's accuracy.

    Parameters
    ----------
    flow
        The flow of (dimension,) states.
    integrand
        (time, state, velocity) -> (k,) what is integrated.
    """

    def __init__(self, flow: Flow, integrand: Callable[[float, np.ndarray, np.ndarray], np.ndarray]) -> None:
        self.flow, self.integrand = flow, integrand
        self.dimension = len(flow.initial)
        first = flow.initial
        self._size = len(integrand(0.0, first, flow.velocity(0.0, first)))

    @property
    def initial(self) -> Float[np.ndarray, " extended"]:
        """The flow's initial state, then zeros."""
        return np.concatenate([self.flow.initial, np.zeros(self._size)])

    def velocity(self, time: float, state: Float[np.ndarray, " extended"]) -> Float[np.ndarray, " extended"]:
        """The flow's velocity, then the integrand."""
        inner = state[: self.dimension]
        velocity = self.flow.velocity(time, inner)
        return np.concatenate([velocity, self.integrand(time, inner, velocity)])

    def split(self, states: Float[np.ndarray, "n extended"]) -> tuple[np.ndarray, np.ndarray]:
        """(n, dimension) states and (n, k) integrals."""
        return states[:, : self.dimension], states[:, self.dimension :]
