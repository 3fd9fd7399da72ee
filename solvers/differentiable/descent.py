"""SurCo-zero: gradient steps on the costs of one instance, through an oracle (docs/papers/surco.md#3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.errors import SolverFailure, at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.differentiable.best import BestVertex
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Direct, Parametrisation
from solvers.differentiable.progress import Progress
from solvers.differentiable.relaxed import Relaxed, relaxation
from solvers.differentiable.rules.rule import Rule
from solvers.differentiable.start import Normal, Start, given
from solvers.differentiable.steps import ADAM, MakeOptimizer, Steps


class ZeroDescent:
    """Descent on c of f(g(c)), the best x kept. An evaluation is a query of f; oracle calls are counted apart.

    Parameters
    ----------
    oracle
        g.
    rule
        The gradient through it.
    parametrisation
        From the latent that moves to costs; by default they are the same.
    start
        The first latent; by default standard normal.
    optimizer
        Of torch, given the list with the latent; by default Adam with rate .1.
    normalise
        Whether gradients are divided by their largest magnitude.
    relax
        From the problem to its :class:`~solvers.differentiable.relaxed.Relaxed`, where it is none itself.
    limit
        Steps at most; None: the budget alone.
    patience
        It stops after more steps without an improvement; None: never.
    target
        It stops when f is not above; None: never. A problem may also say itself when it is solved.
    zero_gradients
        Steps in a row whose gradient is 0 everywhere, after which it has failed; None: never.

    Raises
    ------
    ConfigError
        A setting is below 1.
    """

    def __init__(
        self,
        oracle: LinearOracle,
        rule: Rule,
        parametrisation: Parametrisation | None = None,
        start: Start | None = None,
        optimizer: MakeOptimizer = ADAM,
        normalise: bool = False,
        relax: Callable[[Any], Relaxed] | None = None,
        limit: int | None = None,
        patience: int | None = None,
        target: float | None = None,
        zero_gradients: int | None = 10,
    ) -> None:
        at_least("solver.", limit=(limit, 1), patience=(patience, 1), zero_gradients=(zero_gradients, 1))
        self.oracle, self.rule = oracle, rule
        self.parametrisation, self.start = parametrisation or Direct(), start or Normal()
        self.optimizer, self.normalise, self.relax = optimizer, normalise, relax
        self.limit, self.patience, self.target, self.zero_gradients = limit, patience, target, zero_gradients

    def solve(
        self,
        problem: Any,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Float[np.ndarray, " variables"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Descend from ``initial``, which are costs, or from where ``start`` says, with ``scorer`` for a prior.

        Raises
        ------
        InvalidProblem
            The problem is no relaxed one, or has no feasible point.
        ConfigError
            The start does not fit.
        BrokenOff, SolverFailure
            With and without a solution: gradients vanished, f or its gradient is not finite (``checkpoint`` then holds
            where), the oracle failed or its answer is not feasible.
        """
        return self.descend(problem, budget, scorer, initial, rng, checkpoint).solution()

    def descend(
        self,
        problem: Any,
        budget: Budget,
        scorer: Any,
        initial: Float[np.ndarray, " variables"] | None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Progress:
        """:meth:`solve`, before its answer is taken from it: a failure is raised by the answer."""
        relaxed = relaxation(problem, self.relax)
        self.oracle.check(problem)
        with interrupt.watch():
            best = BestVertex(problem, relaxed, budget, self.target, type(self.oracle).__name__)
            run = Progress(best, self._steps(problem, relaxed, scorer, initial, rng), rng, checkpoint)
            run.resume()
            try:
                while not run.over(self.limit, self.patience):
                    run.begin_step()
                    self._step(run, OracleCalls(self.oracle, problem))
                    run.refuse_standstill(self.zero_gradients)
            except SolverFailure as failure:
                run.fail(failure)
            return run

    def _step(self, run: Progress, oracle: OracleCalls) -> None:
        """One query of f, one gradient, one step."""
        latent = run.steps.latent
        costs = self.parametrisation.costs(latent, oracle.problem)[None]
        x = oracle(costs)
        value, slopes = run.best.query(x, costs)
        gradient = self.rule.gradient(costs, x, slopes, oracle, [run.rng])
        if oracle.inexact and interrupt.requested():
            run.cut_short()
            return
        run.record(x[0], float(value[0]), gradient[0], oracle)
        run.steps.step(self.parametrisation.pullback(latent, gradient[0], oracle.problem))

    def _steps(
        self, problem: Any, relaxed: Relaxed, scorer: Any, initial: np.ndarray | None, rng: np.random.Generator
    ) -> Steps:
        if initial is None:
            latent = self.start.latent(relaxed.variables, problem, self.parametrisation, scorer, rng)
        else:
            latent = self.parametrisation.latent(given(initial, relaxed.variables, "initial"), problem)
        return Steps(latent, self.optimizer, self.normalise)
