"""FBGEMM's table-batched embeddings, all tables of a shard in one kernel, with the update in the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.sharding.oracles.kernel import Kernel, Operation
from runs.errors import require

_OPS = "fbgemm_gpu.split_table_batched_embeddings_ops"


@dataclass(eq=False)
class _TableBatched(Operation):
    module: Any
    indices: Tensor
    offsets: Tensor

    def forward(self) -> list[Tensor]:
        return [self.module(self.indices, self.offsets)]


class Fbgemm(Kernel):
    """One ``SplitTableBatchedEmbeddingBagsCodegen`` per shard, fp32, exact SGD.

    Raises
    ------
    MissingDependency
        FBGEMM is not installed.
    """

    name = "fbgemm"

    def __init__(self, device: str = "cpu", seed: int = 0, memory_gib: float = 4.0) -> None:
        super().__init__(device, seed, memory_gib)
        self.package = "fbgemm-gpu-cpu" if device == "cpu" else "fbgemm-gpu"
        require(f"{_OPS}_training", "fbgemm")

    def _operation(
        self,
        names: Sequence[str],
        lookups: Sequence[tuple[Tensor, Tensor]],
        rows: Sequence[int],
        dims: Sequence[int],
        batch: int,
    ) -> Operation:
        training, common = (require(f"{_OPS}_{part}", "fbgemm") for part in ("training", "common"))
        indices = torch.cat([each for each, _ in lookups])
        begin = np.cumsum([0, *(len(each) for each, _ in lookups)])
        offsets = torch.cat([*(ends[:-1] + int(at) for (_, ends), at in zip(lookups, begin, strict=False)),
                             torch.tensor([int(begin[-1])], device=self.device)])  # fmt: skip
        on_cpu = self.device == "cpu"
        location = common.EmbeddingLocation
        specification = [
            (row, dim, location.HOST if on_cpu else location.DEVICE,
             training.ComputeDevice.CPU if on_cpu else training.ComputeDevice.CUDA)
            for row, dim in zip(rows, dims, strict=True)
        ]  # fmt: skip
        total = sum(row * dim for row, dim in zip(rows, dims, strict=True))
        module = training.SplitTableBatchedEmbeddingBagsCodegen(
            specification,
            optimizer=training.OptimType.EXACT_SGD,
            learning_rate=0.0,  # the weights are written all the same
            device=torch.device(self.device),
            preallocated_host_buffers={"weights": self.arena.weights[:total]} if on_cpu else None,
        )
        if on_cpu:  # the tables lie where all shards have them, not one behind the other
            module.weights_host = torch.nn.Parameter(self.arena.weights)
            places = [
                self.place(name, row, dim, drawn)
                for name, row, dim, (drawn, _) in zip(names, rows, dims, lookups, strict=True)
            ]
            module.weights_offsets = torch.tensor(places)
        return _TableBatched(module, indices, offsets)
