"""What is watched of a training, epoch by epoch: losses, the online probe, signals of collapse."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from models.ssl.parts.state.gather import gather
from tasks.images.representation.collapse import collapse_signals
from tasks.images.representation.rank_me import rank_me

Point = dict[str, float]
BATCH = "batch_"
"""What the names of signals of a single batch begin with."""


class History:
    """The curve of a training: a point per epoch, and one of epoch 0, before the first step.

    Attributes
    ----------
    points
        By number of finished epochs.
    signals
        Of the batch that was watched last.
    """

    def __init__(self) -> None:
        self.points: dict[int, Point] = {}
        self.signals: Point = {}

    def watch(self, h: Float[Tensor, "rows width"], z: Float[Tensor, "rows dimension"] | None) -> None:
        """Measure the last batch of an epoch, of all processes: a rank of at most its number of rows. Collective."""
        self.signals = signals_of(gather(h.detach().float()), "h")
        if z is not None:
            self.signals |= signals_of(gather(z.detach().float()), "z")

    def close(self, epoch: int, point: Point) -> Point:
        """The point of an epoch, with the signals of its last batch."""
        self.points[epoch] = {**point, **self.signals}
        return self.points[epoch]

    def add(self, point: Point) -> None:
        """More numbers of the last point."""
        self.points.setdefault(max(self.points, default=0), {}).update(point)

    def last(self) -> Point:
        """Number of finished epochs, and the losses and accuracies of the last one; its signals are in the curve."""
        epoch = max(self.points, default=0)
        point = self.points.get(epoch, {})
        return {"epochs": float(epoch), **{k: v for k, v in point.items() if not k.startswith(BATCH)}}

    def columns(self) -> dict[str, np.ndarray]:
        """Arrays of equal length, ``epoch`` first."""
        names = dict.fromkeys(name for point in self.points.values() for name in point)
        rows = {name: [point.get(name, np.nan) for point in self.points.values()] for name in names}
        return {"epoch": np.array(list(self.points), dtype=np.int64), **{k: np.array(v) for k, v in rows.items()}}

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"points": self.points, "signals": self.signals}

    def restore(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.points, self.signals = dict(state["points"]), dict(state["signals"])


def signals_of(features: Float[Tensor, "rows dimension"], name: str) -> Point:
    """``batch_rank_<name>``, ``batch_spread_<name>`` and their like."""
    measured = {"rank": float(rank_me(features)), **collapse_signals(features)._asdict()}
    return {f"{BATCH}{signal}_{name}": value for signal, value in measured.items()}
