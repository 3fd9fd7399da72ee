"""Shortest paths as SurCo's authors find them: a graph of networkx with weights of torch, built for every call."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from data.routing.problem import RoutingProblem


def shortest_path(problem: RoutingProblem, costs: Tensor) -> Tensor:
    """The edges of the path that Bellman-Ford finds, (edges,)."""
    graph = nx.Graph()
    numbers = {}
    for edge, (tail, head) in enumerate(zip(problem.tails.tolist(), problem.heads.tolist(), strict=True)):
        graph.add_edge(tail, head, weight=costs[edge])
        numbers[tail, head] = numbers[head, tail] = edge
    nodes = nx.bellman_ford_path(graph, problem.source, problem.target, weight="weight")
    x = torch.zeros_like(costs)
    x[[numbers[pair] for pair in pairwise(nodes)]] = 1
    return x


class _Path(torch.autograd.Function):
    """With the gradient of the interpolation, lambda 1000, moved costs clipped at 0."""

    @staticmethod
    def forward(ctx: object, costs: Tensor, problem: RoutingProblem) -> Tensor:
        x = shortest_path(problem, costs.detach())
        ctx.kept = costs.detach(), x, problem  # type: ignore[attr-defined]
        return x

    @staticmethod
    def backward(ctx: object, *outputs: Tensor) -> tuple[Tensor, None]:
        costs, x, problem = ctx.kept  # type: ignore[attr-defined]
        moved = torch.clamp(costs + 1000.0 * outputs[0], min=0.0)
        return (shortest_path(problem, moved) - x) / 1000.0, None


def descend(problem: RoutingProblem, steps: int, rng: np.random.Generator) -> float:
    """Probability of the best path of so many steps of Adam with rate .1 on the logits of costs."""
    means, variances = torch.from_numpy(problem.means), torch.from_numpy(problem.variances)
    logits = torch.tensor(rng.standard_normal(problem.variables), requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    best = torch.tensor(torch.inf)
    for _ in range(steps):
        x = _Path.apply(torch.sigmoid(logits), problem)
        loss = -(problem.deadline - means @ x) / torch.sqrt(variances @ x)
        best = torch.minimum(best, loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(torch.special.ndtr(-best))
