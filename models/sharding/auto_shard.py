"""AutoShard's network: a policy over devices and a value, both with a memory, beside a cost model
(docs/papers/neuroshard.md#3.7)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.encoders.mlp import mlp
from models.sharding.compute import ComputeCost
from models.sharding.partial_plans import PartialPlans, device_sums, encodings, next_encoding

Memory = tuple[Tensor, Tensor]
WIDTH = 32
STATE = 2 * WIDTH


class AutoShard(nn.Module):
    """The state is the next table and how far the plan is, and what an LSTM remembers of both; an action is a device with
    the tables that it holds, their predicted cost and their memory. The logit of an action is that of state, action and
    their product.

    Parameters
    ----------
    features
        Of a table.
    """

    def __init__(self, features: int = 21) -> None:
        super().__init__()
        self.costs = ComputeCost(features, encoder=(128, WIDTH), head=(64,))
        self.progress, self.load = mlp([1, WIDTH], active=True), mlp([2, WIDTH], active=True)
        self.past = nn.LSTM(STATE, STATE, num_layers=2)
        self.value = mlp([STATE, 64, 1])
        self.policy = mlp([3 * STATE, 128, 128, 64, 1])

    def forward(
        self,
        features: Float[Tensor, "kinds features"],
        plans: PartialPlans,
        begins: Bool[Tensor, "steps episodes"],
        memory: Memory | None = None,
    ) -> tuple[Float[Tensor, "steps episodes devices"], Float[Tensor, "steps episodes"], Memory]:
        """Logits, values and memory; ``plans`` are (steps, episodes), and where one begins the memory is empty."""
        encoded = encodings(self.costs.encode, features, plans.pieces)
        table = torch.cat([next_encoding(encoded, plans), self.progress(plans.progress[..., None])], -1)
        state, memory = self._remembered(table, begins, memory)
        held = device_sums(encoded, plans)
        with torch.no_grad():
            empty = ~(plans.device[..., None] == torch.arange(held.shape[-2])).any(-2)
            cost = self.costs.price(held).masked_fill(empty, 0.0)
        action = torch.cat([held, self.load(torch.stack([cost, plans.gib], -1))], -1)
        state_of_each = state[..., None, :].expand_as(action)
        logits = self.policy(torch.cat([state_of_each, action, state_of_each * action], -1)).squeeze(-1)
        return logits.masked_fill(~plans.legal, -torch.inf), self.value(state).squeeze(-1), memory

    def single_costs(self, features: Float[Tensor, "kinds features"]) -> Float[Tensor, " kinds"]:
        """Predicted ms of each table alone, by which tables are ordered."""
        return self.costs.price(self.costs.encode(features))

    def _remembered(
        self,
        table: Float[Tensor, "steps episodes state"],
        begins: Bool[Tensor, "steps episodes"],
        memory: Memory | None,
    ) -> tuple[Float[Tensor, "steps episodes state"], Memory]:
        if memory is None:
            empty = table.new_zeros(self.past.num_layers, table.shape[1], STATE)
            memory = (empty, empty)
        outputs = []
        for step, fresh in zip(table, begins, strict=True):
            kept = (~fresh).to(table)[None, :, None]
            output, memory = self.past(step[None], (kept * memory[0], kept * memory[1]))
            outputs.append(output)
        return torch.cat(outputs), memory
