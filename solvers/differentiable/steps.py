"""Steps on a latent by any optimiser of torch, and its state as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from runs.record.checkpoint import State

MakeOptimizer = Callable[[Sequence[torch.Tensor]], torch.optim.Optimizer]
ADAM: MakeOptimizer = partial(torch.optim.Adam, lr=0.1)


class Steps:
    """A latent that an optimiser moves.

    Parameters
    ----------
    latent
        (latents,) where it begins.
    make
        The optimiser of the list with the latent.
    normalise
        Whether each gradient is divided by its largest magnitude: with plain gradient descent the rate is then the most
        that a latent moves.
    """

    def __init__(self, latent: Float[np.ndarray, " latents"], make: MakeOptimizer, normalise: bool) -> None:
        self._latent = torch.tensor(latent, dtype=torch.float64, requires_grad=True)
        self._optimizer = make([self._latent])
        self._normalise = normalise

    @property
    def latent(self) -> Float[np.ndarray, " latents"]:
        """Where it is; a copy."""
        return self._latent.detach().numpy().copy()

    def step(self, gradient: Float[np.ndarray, " latents"]) -> None:
        """Move against a gradient."""
        largest = np.abs(gradient).max(initial=0.0)
        scale = largest if self._normalise and largest > 0 else 1.0
        self._latent.grad = torch.from_numpy(gradient / scale)
        self._optimizer.step()

    def memory(self) -> State:
        """All of it."""
        kept = self._optimizer.state.get(self._latent, {})
        own = {f"optimizer/{name}": np.asarray(value).copy() for name, value in kept.items() if value is not None}
        return own | {"latent": self.latent}

    def restore(self, memory: State) -> None:
        """Inverse of :meth:`memory`."""
        with torch.no_grad():
            self._latent.copy_(torch.from_numpy(memory["latent"]))
        kept = self._optimizer.state[self._latent]
        for name, value in memory.items():
            if name.startswith("optimizer/"):
                kept[name.removeprefix("optimizer/")] = torch.from_numpy(value.copy())
