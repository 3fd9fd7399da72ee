"""L-BFGS to the end of double precision, for smooth objectives given with their gradient."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from runs import interrupt
from runs.errors import SolverFailure

STATIONARY = 1e-6
"""Largest component of a gradient, relative to the value, at what counts as a stationary point."""

_LOG = logging.getLogger(__name__)

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""From an array to its value and its gradient, of the array's shape."""


def minimise(objective: Objective, start: np.ndarray, iterations: int) -> np.ndarray:
    """A stationary point reached from ``start``, of the shape that the objective takes.

    Where the search ends at a slope, as it does when the iterations are used up, a warning gives it.

    Raises
    ------
    SolverFailure
        The objective is not finite where the search ended.
    Interrupted
        A signal came.
    """
    from scipy.optimize import minimize

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(x.reshape(start.shape))
        return float(value), np.ravel(gradient)

    # ftol and gtol below rounding: the search ends where no step improves
    options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 20, "ftol": 0.0, "gtol": 1e-12}
    with interrupt.watch():
        found = minimize(flat, start.ravel(), jac=True, method="L-BFGS-B", options=options, callback=_stop)
    interrupt.check()
    if not np.isfinite(found.fun):
        raise SolverFailure(f"L-BFGS ended at a value of {found.fun}; the objective or its start is out of range")
    slope = float(np.abs(found.jac).max())
    if slope > STATIONARY * max(1.0, abs(found.fun)):
        _LOG.warning("L-BFGS ended after %d iterations at a gradient of %.2g, at no optimum", found.nit, slope)
    return found.x.reshape(start.shape)


def _stop(intermediate: np.ndarray) -> None:
    if interrupt.requested():
        raise StopIteration
