"""SGD of the one-layer transformer, replica by replica, beside the flow it should follow (docs/papers/scan_snap.md#4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float

from data.text.synthetic import CoOccurrence
from models.text.one_layer import Normalization, OneLayerTransformer
from runs import interrupt
from runs.errors import ConfigError, at_least
from solvers.base import Budget
from solvers.dynamics.one_layer_path import FollowedDynamics, Path
from tasks.replicas import Replicas


@final
@dataclass(frozen=True, kw_only=True)
class SGD(Replicas):
    """How SGD is run from Y = 0, Z = 0.

    Parameters
    ----------
    eta_y, eta_z
        Step sizes. With momentum mu the flow runs at the effective rates eta / (1 - mu), and SGD lags mu / (1 - mu) steps.
    steps, every, batch, replicas
        As in :class:`~tasks.replicas.Replicas`; a batch is one of sequences.
    length
        T; the flow is its limit, from which f differs by about 1 / (2 T |c|^2).
    momentum
        mu.
    normalization, attend_query
        Of the model; anything but the defaults breaks the theory on purpose.

    Raises
    ------
    ConfigError
        A number is too small for there to be a comparison.
    """

    eta_y: float = 0.1
    eta_z: float = 0.1
    steps: int = 1000
    every: int = 20
    length: int = 8192
    momentum: float = 0.0
    normalization: Normalization = "norm"
    attend_query: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("task.sgd.", length=(self.length, 2))
        if not (self.eta_y > 0 and self.eta_z > 0 and 0 <= self.momentum < 1):
            raise ConfigError("task.sgd: eta_y and eta_z must be positive, and momentum at least 0 and below 1")


@dataclass(frozen=True, eq=False)
class Comparison:
    """SGD's snapshots and the flow at the same times.

    Parameters
    ----------
    path
        The flow.
    Y, Z
        SGD, (n, replicas, L, M) and (n, replicas, Q, L).
    decoder, logits
        The flow, (n, L, M) and (n, Q, L).
    steps
        (n,) steps of SGD.
    """

    path: Path
    Y: Float[np.ndarray, "n replicas L M"]
    Z: Float[np.ndarray, "n replicas Q L"]
    decoder: Float[np.ndarray, "n L M"]
    logits: Float[np.ndarray, "n Q L"]
    steps: np.ndarray

    def metrics(self) -> dict[str, float]:
        """Largest distance of SGD's mean from the flow over time, relative to the flow's final norm, for Y and for Z.

        ``sgd_sampling_Y`` and ``_Z`` are the standard errors of that mean at the end, as distances of the same kind: what
        would remain if the flow were exact.
        """
        found = {}
        for name, sgd, flow in (("Y", self.Y, self.decoder), ("Z", self.Z, self.logits)):
            scale = np.linalg.norm(flow[-1])
            gaps = np.linalg.norm((sgd.mean(1) - flow).reshape(len(flow), -1), axis=1)
            found[f"sgd_error_{name}"] = float(gaps.max() / scale)
            error = sgd[-1].std(0, ddof=1) / np.sqrt(sgd.shape[1])
            found[f"sgd_sampling_{name}"] = float(np.linalg.norm(error) / scale)
        return found


def compare(
    solver: FollowedDynamics, data: CoOccurrence, sgd: SGD, budget: Budget, rng: np.random.Generator
) -> Comparison:
    """Run both from zero.

    Raises
    ------
    Interrupted
        A signal came.
    """
    with torch.inference_mode(False), torch.enable_grad():
        Y, Z = train(data, sgd, rng)
    effective = 1 / (1 - sgd.momentum)
    path = solver.follow(data, sgd.eta_y * effective, sgd.eta_z * effective, sgd.snapshots.astype(float), budget)
    decoder, logits = zip(*(path.dynamics.parameters(state) for state in path.states), strict=True)
    return Comparison(path, Y, Z, np.stack(decoder), np.stack(logits), sgd.snapshots)


def train(data: CoOccurrence, sgd: SGD, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Y (n, replicas, L, M) and Z (n, replicas, Q, L) at the snapshots, over context tokens L.

    Attention without positions sees how often tokens occur, so a sequence is drawn as its counts.
    """
    model = OneLayerTransformer(
        data.vocabulary_size,
        data.context_size,
        data.num_last,
        range(sgd.replicas),
        init="zeros",
        normalization=sgd.normalization,
        attend_query=sgd.attend_query,
    ).double()
    groups = [
        {"params": list(model.weights.attention_parameters()), "lr": sgd.eta_z},  # type: ignore[operator]
        {"params": list(model.weights.decoder_parameters()), "lr": sgd.eta_y},  # type: ignore[operator]
    ]
    optimizer = torch.optim.SGD(groups, momentum=sgd.momentum)
    probabilities = data.probabilities.numpy()[:, : data.context_size]
    kept = []
    queries = data.query.clone()  # it may have been made in inference mode, as tests are
    for step in range(sgd.steps + 1):
        if step in sgd.snapshots:
            interrupt.check()
            kept.append([parameters.detach().clone() for parameters in model.weights()])
        classes = rng.integers(data.classes, size=(sgd.replicas, sgd.batch))
        counts = torch.from_numpy(rng.multinomial(sgd.length - 1, probabilities[classes])).double()
        loss = model.loss(queries[classes], counts, data.next_token[classes]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    Z, Y = (torch.stack(snapshots).numpy() for snapshots in zip(*kept, strict=True))
    return Y[:, :, : data.context_size], Z[:, :, 0, :, : data.context_size]
