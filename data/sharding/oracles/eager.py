"""PyTorch's own embedding bags, one after the other: works everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from data.sharding.oracles.kernel import Kernel, Operation


@dataclass(eq=False)
class _Bags(Operation):
    weights: list[Tensor]
    lookups: Sequence[tuple[Tensor, Tensor]]

    def forward(self) -> list[Tensor]:
        return [
            functional.embedding_bag(indices, weight, offsets, mode="sum", sparse=True, include_last_offset=True)
            for weight, (indices, offsets) in zip(self.weights, self.lookups, strict=True)
        ]

    def forget(self) -> None:
        for weight in self.weights:
            weight.grad = None


class Eager(Kernel):
    """``torch.nn.functional.embedding_bag``, summed, with sparse gradients and no update."""

    name = "eager"
    package = "torch"

    def _operation(
        self,
        names: Sequence[str],
        lookups: Sequence[tuple[Tensor, Tensor]],
        rows: Sequence[int],
        dims: Sequence[int],
        batch: int,
    ) -> Operation:
        weights = [
            self._weight(name, indices, row, dim).requires_grad_()
            for name, (indices, _), row, dim in zip(names, lookups, rows, dims, strict=True)
        ]
        return _Bags(weights, lookups)

    def _weight(self, name: str, indices: Tensor, rows: int, dim: int) -> Tensor:
        if self.device == "cuda":
            return torch.full((rows, dim), 0.01, device="cuda")
        return self.arena.view(self.place(name, rows, dim, indices), rows, dim)
