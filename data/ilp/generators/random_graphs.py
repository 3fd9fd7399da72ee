"""Random graphs as edge lists (E, 2), in numpy alone so that a seed means the same graph everywhere."""

from __future__ import annotations

import numpy as np


def barabasi_albert(rng: np.random.Generator, nodes: int, attachments: int) -> np.ndarray:
    """Preferential attachment in networkx's convention: a star of ``attachments + 1`` nodes, then one node at a time.

    Each new node gets ``attachments`` distinct neighbours, drawn with probability proportional to degree.

    Returns
    -------
    edges
        ((nodes - attachments) * attachments, 2) int64, older node first.
    """
    edges = np.empty(((nodes - attachments) * attachments, 2), np.int64)
    edges[:attachments, 0] = 0
    edges[:attachments, 1] = np.arange(1, attachments + 1)
    ends = edges.reshape(-1)  # every end of every edge: a uniform draw from it is proportional to degree
    for source in range(attachments + 1, nodes):
        begin = (source - attachments) * attachments
        edges[begin : begin + attachments, 0] = _distinct(rng, ends[: 2 * begin], attachments)
        edges[begin : begin + attachments, 1] = source
    return edges


def _distinct(rng: np.random.Generator, pool: np.ndarray, size: int) -> np.ndarray:
    """The first ``size`` different values of uniform draws from ``pool`` with replacement."""
    drawn = np.empty(0, np.int64)
    while True:
        drawn = np.concatenate([drawn, pool[rng.integers(len(pool), size=2 * size)]])
        values, first = np.unique(drawn, return_index=True)
        if len(values) >= size:
            return drawn[np.sort(first)[:size]]


def erdos_renyi(rng: np.random.Generator, nodes: int, probability: float) -> np.ndarray:
    """G(n, p): a binomial number of edges, then that many different pairs.

    Returns
    -------
    edges
        (E, 2) int64, smaller node first, sorted.
    """
    pairs = nodes * (nodes - 1) // 2
    chosen = np.sort(rng.choice(pairs, size=rng.binomial(pairs, probability), replace=False, shuffle=False))
    larger = np.floor((1 + np.sqrt(1 + 8 * chosen.astype(np.float64))) / 2).astype(np.int64)
    larger -= larger * (larger - 1) // 2 > chosen  # the square root may round across an integer
    larger += larger * (larger + 1) // 2 <= chosen
    edges = np.column_stack([chosen - larger * (larger - 1) // 2, larger])
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]
