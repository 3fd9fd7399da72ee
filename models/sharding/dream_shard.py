"""DreamShard's networks: costs of shards and plans, and a policy that looks at predicted costs
(docs/papers/neuroshard.md#3.7)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.encoders.mlp import Standardize, mlp
from models.sharding.partial_plans import PartialPlans, device_sums, encodings

WIDTH = 32
PARTS = 3
"""Computation, backward and forward communication."""


class PlanCosts(nn.Module):
    """Tables are encoded alone and added up by device; each sum has three costs, and their maximum that of the plan.

    Parameters
    ----------
    features
        Of a table.
    """

    def __init__(self, features: int = 21) -> None:
        super().__init__()
        self.standardize = Standardize(features)
        self.encoder = mlp([features, 128, WIDTH], active=True)
        self.heads = nn.ModuleList(mlp([WIDTH, 64, 1]) for _ in range(PARTS))
        self.overall = mlp([WIDTH, 64, 1])

    def encode(self, tables: Float[Tensor, "tables features"]) -> Float[Tensor, "tables width"]:
        """What a device has the sum of."""
        return self.encoder(self.standardize(tables))

    def parts(self, sums: Float[Tensor, "*shards width"]) -> Float[Tensor, "*shards 3"]:
        """ms of computation, backward and forward communication of shards."""
        return torch.cat([head(sums) for head in self.heads], -1)

    def plan(self, sums: Float[Tensor, "*plans devices width"]) -> Float[Tensor, "*plans"]:
        """ms of whole plans."""
        return self.overall(sums.amax(-2)).squeeze(-1)


class DreamShard(nn.Module):
    """The logit of a device is linear in what it holds, by an encoder of its own, and in its predicted costs.

    Parameters
    ----------
    features
        Of a table.
    """

    def __init__(self, features: int = 21) -> None:
        super().__init__()
        self.costs = PlanCosts(features)
        self.encoder = mlp([features, 128, WIDTH], active=True)
        self.cost_encoder = mlp([PARTS, 64, WIDTH], active=True)
        self.policy = nn.Linear(2 * WIDTH, 1)

    def forward(
        self,
        features: Float[Tensor, "kinds features"],
        plans: PartialPlans,
        begins: Bool[Tensor, "steps episodes"] | None = None,
        memory: None = None,
    ) -> tuple[Float[Tensor, "steps episodes devices"], Float[Tensor, "steps episodes"], None]:
        """Logits, no values and no memory; nothing is learned of costs here."""
        with torch.no_grad():
            costs = self.costs.parts(device_sums(encodings(self.costs.encode, features, plans.pieces), plans))
        held = device_sums(encodings(self._encode, features, plans.pieces), plans)
        logits = self.policy(torch.cat([held, self.cost_encoder(costs)], -1)).squeeze(-1)
        return logits.masked_fill(~plans.legal, -torch.inf), logits.new_zeros(logits.shape[:-1]), None

    def single_costs(self, features: Float[Tensor, "kinds features"]) -> Float[Tensor, " kinds"]:
        """Predicted ms of each table alone, by which tables are ordered."""
        return self.costs.parts(self.costs.encode(features)).sum(-1)

    def _encode(self, tables: Float[Tensor, "tables features"]) -> Float[Tensor, "tables width"]:
        return self.encoder(self.costs.standardize(tables))
