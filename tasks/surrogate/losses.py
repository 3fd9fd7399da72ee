"""What a network of costs learns from: the nonlinear cost itself, or the best solutions that are known
(docs/papers/surco.md#3.4)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from runs.errors import ConfigError, InvalidProblem, at_least
from solvers.base import Budget, Solver
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Parametrisation
from solvers.differentiable.relaxed import Relaxed, relaxation, vertex
from solvers.differentiable.rules.rule import Rule
from solvers.differentiable.surrogate import SurrogateCost


class InstanceLoss(nn.Module, ABC):
    """Abstract: the loss of a latent that was predicted for an instance.

    Attributes
    ----------
    queries
        Of f so far; a part of the state.
    """

    queries: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("queries", torch.zeros((), dtype=torch.int64))

    @abstractmethod
    def begin(self, problems: Sequence[Any], seed: int) -> None:
        """Get ready for the problems of the training; what is learned besides the network becomes a parameter."""

    @abstractmethod
    def forward(self, latent: Float[Tensor, " latents"], position: int, problem: Any) -> Float[Tensor, ""]:
        """The loss of a training problem, by its position among them."""

    @abstractmethod
    def value(self, latent: Float[Tensor, " latents"], problem: Any) -> float:
        """What weights are chosen by, on a problem that was not trained on; less is better."""


class SurrogateLoss(InstanceLoss):
    """f(g(c(y)); y) itself, through the oracle; no labels.

    With a finite coupling every instance has costs c of its own, and the loss is f(g(c)) + coupling |c - c(y)|: the network
    follows the descents. With an infinite one c is c(y).

    Parameters
    ----------
    oracle, rule, parametrisation, relax
        See :class:`solvers.differentiable.surrogate.SurrogateCost`.
    coupling
        At least 0; infinite by default (``inf`` as text, too).

    Raises
    ------
    ConfigError
        The coupling is negative.
    """

    def __init__(
        self,
        oracle: LinearOracle,
        rule: Rule,
        parametrisation: Parametrisation | None = None,
        relax: Callable[[Any], Relaxed] | None = None,
        coupling: float | str = math.inf,
    ) -> None:
        super().__init__()
        self.coupling = float(coupling)
        if not self.coupling >= 0:
            raise ConfigError(f"task.loss.coupling is {coupling}; give a number that is not negative, or inf")
        self.cost = SurrogateCost(oracle, rule, parametrisation, relax)
        self.free = nn.ParameterList()

    def begin(self, problems: Sequence[Any], seed: int) -> None:
        for problem in problems:
            self.cost.layer.oracle.check(problem)
        if not math.isfinite(self.coupling):
            return
        rng, parametrisation = np.random.default_rng(seed), self.cost.parametrisation
        for problem in problems:
            variables = self.cost.relaxed(problem).variables
            drawn = rng.standard_normal(parametrisation.latents(variables, problem))
            self.free.append(nn.Parameter(torch.from_numpy(drawn)))

    def forward(self, latent: Float[Tensor, " latents"], position: int, problem: Any) -> Float[Tensor, ""]:
        self.queries += 1
        if not len(self.free):
            return self.cost(latent, problem)
        own, predicted = self.cost.costs(self.free[position], problem), self.cost.costs(latent, problem)
        return self.cost.of_costs(own, problem) + self.coupling * torch.linalg.vector_norm(own - predicted)

    def value(self, latent: Float[Tensor, " latents"], problem: Any) -> float:
        self.queries += 1
        return self.cost.value(latent, problem)


class LabelLoss(InstanceLoss):
    """Cross entropy of sigmoid(-latent), or of a softmax, to the best solution that is known: what predicts solutions, not
    costs.

    Parameters
    ----------
    labeller
        Finds the solutions; it searches every problem once.
    evaluations
        Of each search.
    relax
        From the problem to its :class:`~solvers.differentiable.relaxed.Relaxed`, where it is none itself.
    choices
        Variables side by side of which one is 1: a softmax of so many -latents; 1: each for itself.
    """

    def __init__(
        self,
        labeller: Solver,
        evaluations: int = 100,
        relax: Callable[[Any], Relaxed] | None = None,
        choices: int = 1,
    ) -> None:
        super().__init__()
        at_least("task.loss.", choices=(choices, 1))
        self.labeller, self.budget = labeller, Budget(evaluations=evaluations)
        self.relax, self.choices = relax, choices
        self._labels: list[Tensor] = []

    def begin(self, problems: Sequence[Any], seed: int) -> None:
        self._labels = [self.label(problem, seed) for problem in problems]

    def label(self, problem: Any, seed: int = 0) -> Float[Tensor, " variables"]:
        """The solution that the labeller finds.

        Raises
        ------
        InvalidProblem
            It finds none.
        """
        found = self.labeller.solve(problem, budget=self.budget, rng=np.random.default_rng(seed))
        if found.assignment is None:
            raise InvalidProblem(
                f"{problem.name}: no solution to learn from was found; give task.loss.evaluations more"
            )
        return torch.from_numpy(vertex(relaxation(problem, self.relax), found.assignment).astype(np.float32))

    def forward(self, latent: Float[Tensor, " latents"], position: int, problem: Any) -> Float[Tensor, ""]:
        return self._entropy(latent, self._labels[position])

    def value(self, latent: Float[Tensor, " latents"], problem: Any) -> float:
        return float(self._entropy(latent, self.label(problem)))

    def _entropy(self, latent: Float[Tensor, " latents"], label: Float[Tensor, " latents"]) -> Float[Tensor, ""]:
        label = label.to(latent.device)
        if self.choices == 1:
            return nn.functional.binary_cross_entropy_with_logits(-latent, label)
        return nn.functional.cross_entropy(-latent.reshape(-1, self.choices), label.reshape(-1, self.choices))
