"""What a network is that predicts the costs of an instance, in any domain (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn


class CostNetwork(nn.Module, ABC):
    """Abstract: sees an instance and gives the latent of its costs, (latents,), as ``network(*network.encode(problem))``.

    A latent is as long as the parametrisation of the costs takes it. A subclass has a ``forward`` for what it encodes.
    """

    @abstractmethod
    def encode(self, problem: Any) -> tuple[Tensor, ...]:
        """What it sees of an instance, computed once for each; on the CPU."""

    @torch.no_grad()
    def latent(self, problem: Any) -> Float[np.ndarray, " latents"]:
        """What it says of an instance."""
        place = next(self.parameters(), torch.empty(0)).device
        encoded = (each.to(place) for each in self.encode(problem))
        return self(*encoded).double().cpu().numpy()
