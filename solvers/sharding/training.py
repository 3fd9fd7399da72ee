"""What both learned placements need of their training."""

from __future__ import annotations

from torch import Tensor

from runs.errors import SolverFailure


def finite(loss: Tensor, method: str, update: int) -> Tensor:
    """The loss.

    Raises
    ------
    SolverFailure
        It is no number, or infinite.
    """
    if not bool(loss.isfinite()):
        raise SolverFailure(
            f"{method}: the loss of update {update} is {float(loss)}; lower model.training.learning_rate"
        )
    return loss
