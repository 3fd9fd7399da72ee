"""What is easier to predict of an instance, its solution or costs that lead to it (docs/papers/surco.md#8).

The instances are directions y without negative numbers, the cost is f(x; y) = (x'y)^2 over the hull of the unit vectors and
of the vector of ones. The paper's example is that of dimension 2, but over a hull with the origin, where f = 0 and every
instance has the same solution; here the origin is left out.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from data.directions import Directions
from solvers.differentiable.oracle import LinearOracle, Vertices

Predicted = Literal["costs", "solutions"]
TOLERANCE = 1e-12
"""Of f, relative: a decision is optimal within it."""


class Corners(LinearOracle):
    """The cheapest of the unit vectors and the vector of ones, the first of equal ones."""

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Vertices:
        return Vertices(_nearest_corner(costs), np.ones(len(costs), bool))


def _nearest_corner(costs: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch variables"]:
    corners = np.vstack([np.eye(costs.shape[1]), np.ones(costs.shape[1])])
    return corners[np.argmin(costs @ corners.T, axis=1)]


def value(
    x: Float[np.ndarray, "batch variables"], y: Float[np.ndarray, "batch variables"]
) -> Float[np.ndarray, " batch"]:
    """f(x; y)."""
    return np.square((x * y).sum(axis=1))


def costs(y: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch variables"]:
    """Costs whose cheapest corner minimises f: y itself, since x'y > 0. Their Lipschitz constant is 1."""
    return y


def solutions(y: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch variables"]:
    """The corners that minimise f. They jump, so that no Lipschitz constant is finite."""
    corners = np.vstack([np.eye(y.shape[1]), np.ones(y.shape[1])])
    return corners[np.argmin(np.square(y @ corners.T), axis=1)]


MAPS = {"costs": costs, "solutions": solutions}


def lipschitz(what: Predicted, dimension: int, points: int) -> float:
    """The largest difference quotient between neighbours of ``points`` instances on a path.

    Along it, (cos a, sin a, 1, ..., 1) scaled to length 1, the first two numbers take turns as the least.
    """
    angles = (np.arange(points) + 0.5) * np.pi / 2 / points
    y = np.ones((points, dimension))
    y[:, 0], y[:, 1] = np.cos(angles), np.sin(angles)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    image = MAPS[what](y)
    return float((np.linalg.norm(np.diff(image, axis=0), axis=1) / np.linalg.norm(np.diff(y, axis=0), axis=1)).max())


def predict(
    what: Predicted, problem: Directions, neighbours: int
) -> tuple[Float[np.ndarray, "asked variables"], Float[np.ndarray, "asked variables"]]:
    """What nearest neighbours predict for the asked instances, and the corners that are decided for.

    Several neighbours are averaged with weights of inverse distances; of an average solution the corner that agrees most is
    taken.
    """
    distance = np.linalg.norm(problem.asked[:, None] - problem.seen, axis=2)
    near = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    weights = 1 / (np.take_along_axis(distance, near, axis=1) + 1e-15)
    weights /= weights.sum(axis=1, keepdims=True)
    predicted = (MAPS[what](problem.seen)[near] * weights[:, :, None]).sum(axis=1)
    if what == "costs":
        return predicted, Corners().solve(predicted, problem).x
    corners = np.vstack([np.eye(predicted.shape[1]), np.ones(predicted.shape[1])])
    return predicted, corners[np.argmin(np.linalg.norm(predicted[:, None] - corners, axis=2), axis=1)]


def measures(what: Predicted, problem: Directions) -> dict[str, float]:
    """Errors of the nearest neighbour, shares of optimal decisions by one and by several, and the Lipschitz constant.

    ``optimal`` and ``largest_error`` are the nearest neighbour's, ``optimal_averaged`` is that of as many neighbours as
    dimensions, ``lipschitz`` the constant among as many instances as were seen.
    """
    best = value(solutions(problem.asked), problem.asked)
    dimension = problem.asked.shape[1]
    found = {"lipschitz": lipschitz(what, dimension, len(problem.seen))}
    for suffix, neighbours in (("", 1), ("_averaged", dimension)):
        predicted, decided = predict(what, problem, neighbours)
        error = np.linalg.norm(predicted - MAPS[what](problem.asked), axis=1)
        optimal = value(decided, problem.asked) <= best * (1 + TOLERANCE)
        found |= {f"optimal{suffix}": float(optimal.mean()), f"largest_error{suffix}": float(error.max())}
    return found


def least_error(seen: int) -> float:
    """What the largest error of costs in the plane is at least with so many neighbours: half of an equal part of the arc."""
    return float(2 * np.sin(np.pi / 8 / seen))
