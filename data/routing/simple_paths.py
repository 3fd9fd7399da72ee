"""All simple paths of a small graph, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, UInt8

from data.routing.problem import RoutingProblem

AT_ONCE = 4096


def simple_paths(problem: RoutingProblem) -> Iterator[UInt8[np.ndarray, "paths edges"]]:
    """Every simple path from source to target once, in batches; a grid of 5 by 5 nodes has 8,512, of 6 by 6 1,262,816."""
    arcs = problem.arcs
    leaving = [
        list(zip(arcs.heads[start:end].tolist(), arcs.edges[start:end].tolist(), strict=True))
        for start, end in zip(arcs.starts[:-1].tolist(), arcs.starts[1:].tolist(), strict=True)
    ]
    batch, visited = [], [False] * problem.nodes
    visited[problem.source] = True
    taken: list[int] = []
    walk, ahead = [problem.source], [iter(leaving[problem.source])]
    while ahead:
        step = next(ahead[-1], None)
        if step is None:
            ahead.pop()
            visited[walk.pop()] = False
            if taken:
                taken.pop()
            continue
        node, edge = step
        if node == problem.target:
            batch.append([*taken, edge])
            if len(batch) == AT_ONCE:
                yield _rows(batch, problem.variables)
                batch = []
        elif not visited[node]:
            visited[node] = True
            walk.append(node)
            taken.append(edge)
            ahead.append(iter(leaving[node]))
    if batch:
        yield _rows(batch, problem.variables)


def _rows(paths: list[list[int]], edges: int) -> UInt8[np.ndarray, "paths edges"]:
    rows = np.zeros((len(paths), edges), np.uint8)
    rows[np.repeat(np.arange(len(paths)), [len(path) for path in paths]), np.concatenate(paths)] = 1
    return rows


def best_path(problem: RoutingProblem) -> Float[np.ndarray, " edges"]:
    """The path of the highest probability, by trying all."""
    best, score = np.zeros(problem.variables), -np.inf
    for paths in simple_paths(problem):
        scores = problem.scores(paths)
        if scores.max() > score:
            best, score = paths[scores.argmax()].astype(float), scores.max()
    return best
