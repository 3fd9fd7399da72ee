"""Predictors that are computed from the correlation of the projections instead of trained (docs/papers/ssl.md#6.3)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts.state.reduce import sum_over_processes
from runs.errors import ConfigError, nearest

Rule = Literal["pred", "set"]


class DirectPredictor(nn.Module):
    """A linear predictor W_p, set from F = moving average of E[z z^T].

    DirectPred ("pred"): with F = U diag(s) U^T, W_p = U diag(sqrt(s / s_max) + eps) U^T, its eigenvalues at least ``floor``.
    DirectSet ("set"): W_p = F^power / ||F^power|| + eps I; power 1 is DirectCopy.

    Parameters
    ----------
    inputs
        D.
    rule
        "pred" or "set".
    memory
        rho, of the moving average; F is 0 at first.
    epsilon
        eps.
    power
        Of DirectSet.
    floor
        Least eigenvalue of DirectPred.

    Raises
    ------
    ConfigError
        The rule is unknown or ``memory`` is outside [0, 1).

    References
    ----------
    Tian et al., Understanding self-supervised learning dynamics without contrastive pairs (2021); Wang et al., Towards
    demystifying representation learning with non-contrastive self-supervision (2021).
    """

    correlation: Tensor
    weight: Tensor

    def __init__(
        self,
        inputs: int,
        rule: Rule = "pred",
        memory: float = 0.3,
        epsilon: float = 0.01,
        power: float = 1.0,
        floor: float = 1e-4,
    ) -> None:
        super().__init__()
        if rule not in ("pred", "set"):
            raise ConfigError(f"rule of the predictor is '{rule}'{nearest(rule, ('pred', 'set'))}")
        if not 0 <= memory < 1:
            raise ConfigError(f"memory of the predictor is {memory}; give a number in [0, 1)")
        self.width = inputs
        self.rule, self.memory, self.epsilon, self.power, self.floor = rule, memory, epsilon, power, floor
        self.register_buffer("correlation", torch.zeros(inputs, inputs))
        self.register_buffer("weight", torch.eye(inputs))

    def forward(self, z: Float[Tensor, "batch dimension"]) -> Float[Tensor, "batch dimension"]:
        """W_p z of each row."""
        return z @ self.weight.to(z.dtype)

    @torch.no_grad()
    def update(self, z: Float[Tensor, "rows dimension"]) -> None:
        """Take the rows of all processes into F and set W_p anew. Collective, as many rows everywhere."""
        rows = z.to(self.correlation.dtype)
        with torch.autocast(z.device.type, enabled=False):
            count = sum_over_processes(rows.new_tensor(len(rows)))
            now = sum_over_processes(rows.T @ rows) / count
            self.correlation.lerp_(now, 1 - self.memory)
            self.weight.copy_(self._solved())

    def _solved(self) -> Float[Tensor, "dimension dimension"]:
        values, vectors = torch.linalg.eigh(self.correlation.double())
        values = values.clamp(min=0)
        largest = values.max().clamp(min=torch.finfo(values.dtype).tiny)
        if self.rule == "pred":
            gains = ((values / largest).sqrt() + self.epsilon).clamp(min=self.floor)
        else:
            gains = (values / largest) ** self.power + self.epsilon
        return (vectors * gains @ vectors.T).to(self.weight.dtype)
