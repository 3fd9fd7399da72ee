"""The feasible design that collects much reward, touch by touch: Schubert's generator (docs/papers/surco.md#3.7)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from data.photonics.brush import BrushRule
from runs.errors import InvalidProblem, SolverFailure, require
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.photonics.touches import brush_sums, coverage, touches_of


class Painted(Protocol):
    """A problem whose x is a design, pixel by pixel, row by row."""

    name: str

    @property
    def rule(self) -> BrushRule:
        """Which designs there are."""
        ...


def generate(
    rewards: Float[np.ndarray, "batch x y"], rule: BrushRule
) -> tuple[Bool[np.ndarray, "batch x y"], Bool[np.ndarray, " batch"]]:
    """A design for each reward of solid (void pays minus that), and whether it is one.

    Without fixed pixels it always is, for every brush that reaches every pixel.

    Parameters
    ----------
    rewards
        Finite.
    rule
        What the brush must paint.

    Raises
    ------
    MissingDependency
        numba is absent.
    """
    require("numba", "photonics")
    from solvers.photonics.painting import paint

    sums = brush_sums(np.asarray(rewards, np.float64), rule.brush).reshape(len(rewards), -1)
    order = np.argsort(np.concatenate([-sums, sums], axis=1), axis=1, kind="stable")
    designs, done = paint(order, touches_of(rule), blocked(rule))
    return designs.reshape(rewards.shape) == 1, done


class BrushGenerator(LinearOracle):
    """Greedy: the best touch that something requires, else the best of all, until every pixel is painted.

    The answer is feasible and rarely the cheapest, except for costs that only say for each pixel which phase it should have:
    such a design is returned if it can be painted.

    Parameters
    ----------
    exact
        Answers where greed alone does not meet all fixed pixels; None: then it gives up.
    """

    def __init__(self, exact: LinearOracle | None = None) -> None:
        self.exact = exact

    def check(self, problem: Painted) -> None:
        """Refuse a brush that is none, and fixed pixels that no design can have.

        Raises
        ------
        InvalidProblem
            Names what is wrong.
        """
        problem.rule.validate()
        if problem.rule.fixed is not None:
            self.solve(np.zeros((1, problem.rule.fixed.size)), problem)

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Painted) -> Vertices:
        rule = problem.rule
        if not np.isfinite(costs).all():
            row, variable = np.argwhere(~np.isfinite(costs))[0].tolist()
            x, y = np.unravel_index(variable, rule.shape)
            raise InvalidProblem(
                f"{problem.name}: the cost of pixel ({x}, {y}) is {costs[row, variable]}; expected a finite number"
            )
        rewards = -costs.reshape(len(costs), *rule.shape)
        designs, done = generate(rewards, rule)
        wanted = np.array([_is_wish(reward) and rule.is_kept(reward > 0) for reward in rewards], bool)
        designs[wanted] = rewards[wanted] > 0
        x = designs.reshape(costs.shape).astype(float)
        if not done.all():
            x[~done], wanted[~done] = self._exact(problem).solve(costs[~done], problem)
        return Vertices(x, wanted)

    def _exact(self, problem: Painted) -> LinearOracle:
        if self.exact is None:
            raise SolverFailure(
                f"{problem.name}: the generator met no design with all fixed pixels; give it solver.oracle.exact, which "
                "decides whether there is one, or fix fewer pixels"
            )
        return self.exact


def _is_wish(reward: Float[np.ndarray, "x y"]) -> bool:
    """Whether all pixels are worth the same, and not nothing: then the signs alone, if feasible, are the best design."""
    size = abs(reward)
    return bool((size == size.flat[0]).all() and size.flat[0] > 0)


def blocked(rule: BrushRule) -> Bool[np.ndarray, " touches"]:
    """Which touches, solid ones first, would paint over fixed pixels."""
    size = rule.shape[0] * rule.shape[1]
    if rule.fixed is None:
        return np.zeros(2 * size, bool)
    covers = coverage(rule)
    fixed = rule.fixed.reshape(-1)
    return np.concatenate([covers @ (fixed == 1 - phase).astype(float) > 0 for phase in (1, 0)])
