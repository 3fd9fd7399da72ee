"""Training a prior from Python, in one call (docs/papers/surco.md#3.4)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset

from data.modules import ProblemData
from data.problem_batches import ProblemBatches
from models.cost_network import CostNetwork
from runs.errors import ConfigError
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Parametrisation
from solvers.differentiable.relaxed import Relaxed
from solvers.differentiable.rules.rule import Rule
from tasks.pretrained import Pretrained
from tasks.surrogate.losses import SurrogateLoss
from tasks.surrogate.training import QUERIES, PriorTraining


class TrainedPrior(NamedTuple):
    """A trained network.

    Attributes
    ----------
    network
        Gives the latent of an instance's costs.
    queries
        Of f, that the training took.
    """

    network: CostNetwork
    queries: int


def train_prior(
    problems: Sequence[Any],
    network: CostNetwork,
    oracle: LinearOracle,
    rule: Rule,
    *,
    parametrisation: Parametrisation | None = None,
    relax: Callable[[Any], Relaxed] | None = None,
    validation: Sequence[Any] = (),
    coupling: float = torch.inf,
    epochs: int = 30,
    batch_size: int = 10,
    rate: float = 1e-3,
    seed: int = 0,
) -> TrainedPrior:
    """A prior that has learned on some problems, with Adam; every epoch queries f once for each problem.

    Parameters
    ----------
    problems
        What is learned on.
    network
        A copy of it is trained.
    oracle, rule, parametrisation, relax, coupling
        See :class:`tasks.surrogate.losses.SurrogateLoss`.
    validation
        Other problems, on which the best epoch is chosen; without any the last is taken.
    epochs, batch_size, rate, seed
        Of the training.

    Returns
    -------
    TrainedPrior
        Its network is for ``scorer=`` of :class:`solvers.differentiable.deployment.Deployment` and, with the start
        ``Predicted``, of :class:`solvers.differentiable.descent.ZeroDescent`.

    Raises
    ------
    ConfigError
        There are no problems.
    """
    if not problems:
        raise ConfigError("there are no problems to learn on; give at least one")
    data = ProblemBatches(_Given(problems), _Given(validation) if validation else None, batch_size, seed)
    loss = SurrogateLoss(oracle, rule, parametrisation, relax, coupling)

    def task(model: CostNetwork) -> PriorTraining:
        return PriorTraining(model, loss, lambda parameters: torch.optim.Adam(parameters, lr=rate), seed)

    hardware = {"accelerator": "cpu", "precision": "32-true"}
    training = Pretrained(copy.deepcopy(network), data, task, {"max_epochs": epochs}, hardware, seed)
    with TemporaryDirectory() as folder:
        trained = training.network(Path(folder))
    return TrainedPrior(trained, int(training.task.best[QUERIES]))


class _Given(ProblemData):
    """Problems that are there."""

    def __init__(self, problems: Sequence[Any]) -> None:
        super().__init__()
        self.test_problems = _Listed(problems)

    def setup(self, stage: str | None = None) -> None:
        """Nothing to do."""


class _Listed(Dataset[tuple[int, Any]]):
    def __init__(self, problems: Sequence[Any]) -> None:
        self.problems = list(problems)

    def __len__(self) -> int:
        return len(self.problems)

    def __getitem__(self, position: int) -> tuple[int, Any]:
        return position, self.problems[position]
