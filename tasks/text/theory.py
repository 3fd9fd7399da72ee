"""The theory of Scan and Snap, checked on its own dynamics and laid over SGD (docs/papers/scan_snap.md#4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.text.synthetic import CoOccurrence
from data.text.vocabularies import Vocabulary
from runs.errors import ConfigError
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from solvers.base import Budget
from solvers.dynamics.one_layer_path import FollowedDynamics, Path, fitting_time
from tasks.problems import ProblemTask
from tasks.text import theorems
from tasks.text.learning_rates import LearningRates, control, entropies
from tasks.text.sgd_beside_flow import SGD, compare


class TheoryOfTraining(ProblemTask):
    """Theorems 2 to 4, learning-rate control and SGD, for every vocabulary, on the dynamics that ``solver`` follows.

    All start from Y = 0, Z = 0 and take T -> infinity, except SGD, which has T tokens. What else each check needs is said in
    :mod:`tasks.text.theorems`.

    Parameters
    ----------
    solver
        The gradient flow, or the paper's reduction of it.
    budget
        ``seconds`` and ``evaluations`` for each trajectory.
    seed
        Of SGD's batches.
    eta_y, eta_z
        Rates of the path on which theorems 2 to 4 are measured.
    horizon
        Its end, in units of t0' = K ln M / eta_y.
    sweep
        Rates eta_y, increasing, at which t0' is measured at the fixed eta_z. The last is the fast decoder of the theory.
    learning_rates
        Settings of :class:`~tasks.text.learning_rates.LearningRates`.
    sgd
        Settings of :class:`~tasks.text.sgd_beside_flow.SGD`, or None to leave it out.
    drawn
        The first so many vocabularies get figures.
    points
        Observations of a path.

    Raises
    ------
    ConfigError
        A setting makes no check.
    """

    def __init__(
        self,
        solver: FollowedDynamics,
        budget: dict[str, Any],
        seed: int,
        eta_y: float,
        eta_z: float,
        horizon: float,
        sweep: Sequence[float],
        learning_rates: dict[str, Any],
        sgd: dict[str, Any] | None,
        drawn: int = 2,
        points: int = 181,
    ) -> None:
        super().__init__()
        for key, rate in (("eta_y", eta_y), ("eta_z", eta_z)):
            if not rate > 0:
                raise ConfigError(f"task.{key} is {rate}; a learning rate must be positive")
        if not horizon >= 2 * theorems.SNAPPING:
            raise ConfigError(
                f"task.horizon is {horizon}; give at least {2 * theorems.SNAPPING:g}, to see the growth after t0'"
            )
        if not sweep or not all(rate > 0 for rate in sweep) or not np.all(np.diff(sweep) > 0):
            raise ConfigError(f"task.sweep is {list(sweep)}; give rates eta_y in increasing order")
        if points < 50:
            raise ConfigError(f"task.points is {points}; give at least 50, or the fits have nothing to go by")
        self.seed = seed
        self.solver, self.budget = solver, Budget(**budget)
        self.eta_y, self.eta_z, self.horizon = eta_y, eta_z, horizon
        self.sweep, self.points, self.drawn = list(sweep), points, drawn
        self.rates = LearningRates(**learning_rates)
        self.sgd = None if sgd is None else SGD(**sgd)

    def result(self, index: int, name: str, problem: Vocabulary) -> InstanceResult:
        """All checks on one vocabulary, and its figures."""
        data = problem.distribution
        path = self._path(data, self.eta_y, self.horizon)
        paths = [self._path(data, eta_y, 20.0) for eta_y in self.sweep]
        fast = theorems.relative_gain(paths[-1].until(paths[-1].fitted_at))
        entropy = entropies(self.solver, data, self.rates, self.budget)
        metrics = {
            **theorems.fates(path),
            **theorems.relative_gain(path),
            **{f"{key}_fast_decoder": value for key, value in fast.items()},
            **theorems.snapping_metrics(path),
            **theorems.fitting_times(paths),
            **control(self.rates, entropy),
            "evaluations": float(path.evaluations),
        }
        if index < self.drawn:
            from tasks.text.theory_figures import theorem_figure

            self._keep("theorems", problem, lambda: theorem_figure(path, paths, self.rates, entropy))
        if self.sgd is not None:
            rng = np.random.default_rng([self.seed, index])
            comparison = compare(self.solver, data, self.sgd, self.budget, rng)
            metrics |= comparison.metrics()
            if index < self.drawn:
                from tasks.text.theory_figures import sgd_figure

                self._keep("sgd", problem, lambda: sgd_figure(comparison))
        return InstanceResult(index=index, name=name, metrics=metrics)

    def _path(self, data: CoOccurrence, eta_y: float, horizon: float) -> Path:
        """Log-spaced observations from a thousandth of t0' on."""
        times = fitting_time(data, eta_y) * np.geomspace(1e-3, horizon, self.points)
        return self.solver.follow(data, eta_y, self.eta_z, np.concatenate([[0.0], times]), self.budget)

    def _keep(self, kind: str, problem: Vocabulary, make: Callable[[], bytes]) -> None:
        draw(self.folder, f"{kind}_{safe_name(problem.name)}", make)
