"""Supervised training of a probe or of a whole network, the same step for every protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from runs.errors import SolverFailure

Batches = Iterable[tuple[Tensor, Tensor]]
"""Inputs, and the classes or class probabilities they should have."""

Rate = Callable[[int, int], float]
"""Factor of the learning rates at update ``step`` of ``steps``."""


def train(
    model: nn.Module,
    epochs: Sequence[Callable[[], Batches]],
    loss: Callable[[Tensor, Tensor], Float[Tensor, ""]],
    optimizer: torch.optim.Optimizer,
    rate: Rate,
    steps: int,
    name: str,
) -> None:
    """Train ``model`` in place; it is left in evaluation mode.

    Parameters
    ----------
    epochs
        Each makes the batches of an epoch.
    loss
        Of the inputs and targets of a batch; calls the model.
    rate
        Factor of the optimiser's own learning rates.
    steps
        Updates of all epochs together.
    name
        Of the protocol, for errors.

    Raises
    ------
    SolverFailure
        The loss is no longer finite.
    """
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    model.train()
    with torch.enable_grad():
        for number, batches in enumerate(epochs):
            value = torch.zeros(())
            for inputs, targets in batches():
                value = loss(inputs, targets)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
            if not math.isfinite(value.item()):
                raise SolverFailure(
                    f"{name}: the loss became {value.item()} in epoch {number}; lower its learning rate"
                )
    model.eval()


def steps_at(*milestones: float, factor: float = 0.1) -> Rate:
    """A rate that falls by ``factor`` at each of these shares of the training."""
    return lambda step, steps: factor ** sum(step >= milestone * steps for milestone in milestones)


def shuffled(images: int, batch_size: int, seed: int, epoch: int) -> list[Int[Tensor, " batch"]]:
    """Positions of the images in batches, in an order that seed and epoch determine; no batch has a single image.

    A last batch of less than half the size is left out, unless it is all there is: batch norms would follow its noise.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    batches = list(torch.randperm(images, generator=generator).split(batch_size))
    return batches if len(batches) == 1 or 2 * len(batches[-1]) >= batch_size else batches[:-1]


def predict(model: nn.Module, inputs: Tensor, batch_size: int = 4096) -> Int[Tensor, " images"]:
    """The class with the largest logit, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(batch).argmax(-1) for batch in inputs.split(batch_size)])
