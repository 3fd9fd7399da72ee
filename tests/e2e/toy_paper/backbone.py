"""A graph encoder that the project does not know."""

import torch
from torch import Tensor, nn


class SumOfRows(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, v: Tensor, c: Tensor, edge_index: Tensor, e: Tensor) -> Tensor:
        row, variable = edge_index
        return torch.relu(v.index_add(0, variable, self.linear(c[row]) + e))
