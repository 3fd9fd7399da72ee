"""Why two linear networks that predict each other do not collapse, or do (docs/papers/ssl.md#6.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.pairs.modes import Modes
from runs.errors import ConfigError
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from solvers.base import Budget
from solvers.dynamics.linear_twins import FollowedTwins, Rates, TwinPath, effective_rank
from tasks.pairs.twins_sgd import SGD, Comparison, compare
from tasks.problems import ProblemTask

ALIVE = 1e-3
"""A mode whose s is above this has survived."""


class LinearTwinsTheory(ProblemTask):
    """The flow that ``solver`` follows from every start, its invariant and fixed points, and SGD of the network over it.

    Parameters
    ----------
    solver
        The flow, with or without predictor and stop-gradient.
    budget
        ``seconds`` and ``evaluations`` for each trajectory.
    seed
        Of SGD's batches.
    rates
        Settings of :class:`~solvers.dynamics.linear_twins.Rates`.
    horizon
        End of the flow's time.
    sgd
        Settings of :class:`~tasks.pairs.twins_sgd.SGD`.
    short_memory
        ``forgetting`` of a second SGD, whose predictor follows single batches; None to leave it out.
    drawn
        The first so many starts get figures.
    points
        Observations of the flow.

    Raises
    ------
    ConfigError
        A setting makes no check.
    """

    def __init__(
        self,
        solver: FollowedTwins,
        budget: dict[str, Any],
        seed: int,
        rates: dict[str, float],
        horizon: float,
        sgd: dict[str, Any],
        short_memory: float | None = None,
        drawn: int = 2,
        points: int = 201,
    ) -> None:
        super().__init__()
        if not horizon > 0 or points < 20:
            raise ConfigError(f"task.horizon is {horizon} and task.points {points}; give a positive time and 20 points")
        self.seed = seed
        self.solver, self.budget = solver, Budget(**budget)
        self.rates, self.sgd = Rates(**rates), SGD(**sgd)
        self.short_memory = None if short_memory is None else Rates(**{**rates, "forgetting": short_memory})
        self.horizon, self.drawn, self.points = horizon, drawn, points

    def result(self, index: int, name: str, problem: Modes) -> InstanceResult:
        """Flow and SGD from one start, and their figure."""
        times = np.linspace(0, self.horizon, self.points)
        path = self.solver.follow(problem, self.rates, times, self.budget)
        comparison = compare(self.solver, problem, self.rates, self.sgd, np.random.default_rng([self.seed, index]))
        metrics = {**fate(path), **self._theory(path, problem), **comparison.metrics()}
        if self.short_memory is not None:
            rng = np.random.default_rng([self.seed, index, 1])
            short = compare(self.solver, problem, self.short_memory, self.sgd, rng).metrics()
            metrics |= {f"{key}_short_memory": value for key, value in short.items()}
        if index < self.drawn:
            self._draw(problem, path, comparison)
        return InstanceResult(index=index, name=name, metrics=metrics)

    def _theory(self, path: TwinPath, modes: Modes) -> dict[str, float]:
        """What is known in closed form of a trained predictor behind a stop-gradient."""
        if not (self.solver.predictor.trained and self.solver.stop_gradient):
            return {}
        found = {"invariant_error": invariant_error(path, self.rates)}
        alive = path.correlation[-1] > ALIVE
        if self.rates.fixed_points is not None and alive.any():
            p = self.rates.fixed_points[1]
            gaps = np.abs(path.predictor[-1] - p), np.abs(path.correlation[-1] - p**2 / self.rates.alpha)
            found["fixed_point_error"] = float(max(gap[alive].max() for gap in gaps))
        return found

    def _draw(self, modes: Modes, path: TwinPath, comparison: Comparison) -> None:
        from tasks.pairs.twins_figures import set_predictor_figure, trained_figure

        own = self.solver.predictor.follows_correlation
        figure = set_predictor_figure if own else trained_figure
        draw(
            self.folder,
            f"modes_{safe_name(modes.name)}",
            lambda: figure(self.solver.flow(modes, self.rates), path, comparison),
        )


def fate(path: TwinPath) -> dict[str, float]:
    """Mean s at the end, the share of modes alive, and how many modes F has in effect, also over what it began with."""
    rank = effective_rank(path.correlation)
    return {
        "final_correlation": float(path.correlation[-1].mean()),
        "surviving": float(np.mean(path.correlation[-1] > ALIVE)),
        "effective_rank": float(rank[-1]),
        "effective_rank_gain": float(rank[-1] - rank[0]),
    }


def invariant_error(path: TwinPath, rates: Rates) -> float:
    """Largest distance of (s - p^2 / alpha) e^{2 eta t} from its start, relative to the largest start."""
    gap = path.correlation - path.predictor**2 / rates.alpha
    held = gap * np.exp(2 * rates.decay * path.times)[:, None]
    return float(np.abs(held - gap[0]).max() / np.abs(gap[0]).max())
