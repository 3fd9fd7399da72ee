"""SGD of the linear twins, replica by replica, read off in the modes of the flow that it should follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.pairs.modes import Modes
from models.pairs.linear_twins import LinearTwins
from runs import interrupt
from runs.errors import ConfigError
from solvers.dynamics.linear_twins import FollowedTwins, Rates, TwinPath
from solvers.dynamics.predictors import Predictor
from tasks.replicas import Replicas


@final
@dataclass(frozen=True, kw_only=True)
class SGD(Replicas):
    """How SGD is run.

    Parameters
    ----------
    learning_rate
        Of the encoder; the flow's time is this times the steps. The predictor's is alpha times it.
    steps, every, batch, replicas
        As in :class:`~tasks.replicas.Replicas`; a batch is one of pairs of views.

    Raises
    ------
    ConfigError
        A number is too small for there to be a comparison.
    """

    learning_rate: float = 0.02
    steps: int = 1500
    every: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.learning_rate > 0:
            raise ConfigError(f"task.sgd.learning_rate is {self.learning_rate}; it must be positive")


@dataclass(frozen=True, eq=False)
class Comparison:
    """SGD's modes at its snapshots, and the flow at the same times.

    Parameters
    ----------
    path
        The flow.
    predictor, correlation
        SGD, (n, replicas, d).
    """

    path: TwinPath
    predictor: Float[np.ndarray, "n replicas d"]
    correlation: Float[np.ndarray, "n replicas d"]

    def metrics(self) -> dict[str, float]:
        """Largest distance over time of SGD's mean from the flow, relative to the flow's largest norm, for p and for s.

        ``sgd_sampling_p`` and ``_s`` are the largest standard errors of that mean, as distances of the same kind.
        """
        found = {}
        sides = (("p", self.predictor, self.path.predictor), ("s", self.correlation, self.path.correlation))
        for name, sgd, flow in sides:
            scale = np.linalg.norm(flow, axis=1).max()
            found[f"sgd_error_{name}"] = float(np.linalg.norm(sgd.mean(1) - flow, axis=1).max() / scale)
            error = sgd.std(1, ddof=1) / np.sqrt(sgd.shape[1])
            found[f"sgd_sampling_{name}"] = float(np.linalg.norm(error, axis=1).max() / scale)
        return found


def compare(solver: FollowedTwins, modes: Modes, rates: Rates, sgd: SGD, rng: np.random.Generator) -> Comparison:
    """Run both from the same modes.

    Raises
    ------
    ConfigError
        The average of F would forget more than all of it in a step.
    SolverFailure
        The integrator gave up.
    Interrupted
        A signal came.
    """
    if rates.forgetting * sgd.learning_rate > 1:
        raise ConfigError(
            f"task.rates.forgetting is {rates.forgetting}; SGD at learning rate {sgd.learning_rate} allows at most "
            f"{1 / sgd.learning_rate:g}"
        )
    path = solver.follow(modes, rates, sgd.learning_rate * sgd.snapshots)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    with torch.inference_mode(False), torch.enable_grad():
        p, s = train(modes, rates, solver.predictor, solver.stop_gradient, sgd, generator)
    return Comparison(path, p, s)


def train(
    modes: Modes,
    rates: Rates,
    predictor: Predictor,
    stop_gradient: bool,
    sgd: SGD,
    generator: torch.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """p and s at the snapshots, each (n, replicas, d), in the eigenbasis of the start.

    All replicas start from the same matrices, in a random orthonormal basis.
    """
    d = len(modes.correlation)
    U, V = (torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0] for _ in range(2))
    start = torch.from_numpy(predictor.eigenvalues(modes.predictor, modes.correlation))
    s = torch.from_numpy(modes.correlation)
    twins = LinearTwins(
        (U * s.sqrt() @ V.mT).expand(sgd.replicas, d, d),
        (U * start @ U.mT).expand(sgd.replicas, d, d),
        rates.target_ratio,
        stop_gradient,
        predictor.trained,
    )
    optimizer = torch.optim.SGD(_groups(twins, rates, sgd.learning_rate, predictor.trained))
    rho = 1 - rates.forgetting * sgd.learning_rate
    F = (1 + rates.variance) * (U * s @ U.mT).expand(sgd.replicas, d, d)
    kept = []
    for step in range(sgd.steps + 1):
        if step in sgd.snapshots:
            interrupt.check()
            kept.append(_in_modes(twins, U))
        first, second = _views(sgd, d, rates.variance, generator)
        if predictor.follows_correlation:
            with torch.no_grad():
                z = torch.cat([twins(first), twins(second)], dim=1)
                F = rho * F + (1 - rho) * z.mT @ z / z.shape[1]
                twins.predictor.copy_(set_predictor(predictor, F))
        loss = twins.loss(first, second)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    p, s_kept = (torch.stack(values).numpy() for values in zip(*kept, strict=True))
    return p, s_kept


def set_predictor(predictor: Predictor, F: Float[Tensor, "replicas d d"]) -> Float[Tensor, "replicas d d"]:
    """W_p with the eigenvectors of F and the eigenvalues that the rule makes of F's."""
    values, vectors = torch.linalg.eigh(F)
    p = np.stack([predictor.eigenvalues(np.ones(len(s)), s) for s in values.numpy()])
    return (vectors * torch.from_numpy(p)[:, None, :]) @ vectors.mT


def _groups(twins: LinearTwins, rates: Rates, learning_rate: float, trained: bool) -> list[dict[str, object]]:
    """The flow's alpha multiplies the predictor's loss gradient, but not its weight decay."""
    groups: list[dict[str, object]] = [{"params": [twins.encoder], "lr": learning_rate, "weight_decay": rates.decay}]
    if trained:
        of_predictor = {"lr": rates.alpha * learning_rate, "weight_decay": rates.decay / rates.alpha}
        groups.append({"params": [twins.predictor], **of_predictor})
    return groups


def _views(sgd: SGD, d: int, variance: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    u, *noise = torch.randn(3, sgd.replicas, sgd.batch, d, generator=generator, dtype=torch.float64)
    return u + variance**0.5 * noise[0], u + variance**0.5 * noise[1]


def _in_modes(twins: LinearTwins, U: Tensor) -> tuple[Tensor, Tensor]:
    """Diagonals of U^T W_p U and of U^T W W^T U, (replicas, d)."""
    with torch.no_grad():
        p = torch.diagonal(U.mT @ twins.predictor @ U, dim1=-2, dim2=-1).clone()
        return p, (U.mT @ twins.encoder).square().sum(-1)
