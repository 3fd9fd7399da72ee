"""The bipartite graph of an ILP: variables on one side, one-sided rows on the other (docs/papers/cl_lns.md#3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.ilp.problem import ILP


@dataclass(frozen=True, eq=False)
class BipartiteGraph:
    """One node per variable, one per one-sided row ``coefficients x <= side``, one edge per nonzero of such a row.

    A row with two sides (an equation too) gives two nodes, the left side first and negated; a row without sides gives
    none. Nodes follow the order of the rows, edges are sorted by row node, then by variable.

    Parameters
    ----------
    variables
        Number of variable nodes, n.
    row
        (R,) int, the row of the ILP each row node comes from.
    sign
        (R,) float, -1 for a left side, +1 for a right one.
    side
        (R,) float, the right-hand side of the one-sided row: ``-row_lo`` or ``row_hi``.
    edge_index
        (2, E) int, row node and variable of each edge.
    coefficient
        (E,) float, signed: ``sign * a``.
    row_ptr
        (R + 1,) int, where the edges of each row node begin.
    """

    variables: int
    row: np.ndarray
    sign: np.ndarray
    side: np.ndarray
    edge_index: np.ndarray
    coefficient: np.ndarray
    row_ptr: np.ndarray


def bipartite_graph(problem: ILP) -> BipartiteGraph:
    """Variables, one-sided rows and edges of ``problem``; O(nonzeros), no loop over rows."""
    present = np.column_stack([np.isfinite(problem.row_lo), np.isfinite(problem.row_hi)])
    row, which = np.nonzero(present)  # row-major, so a row's left side comes first
    sign = np.where(which == 0, -1.0, 1.0)
    side = np.where(which == 0, -problem.row_lo[row], problem.row_hi[row])
    degree = np.diff(problem.A.indptr).astype(np.int64)[row]
    row_ptr = np.concatenate([[0], np.cumsum(degree)])
    node = np.repeat(np.arange(len(row)), degree)
    source = problem.A.indptr.astype(np.int64)[row][node] + np.arange(len(node)) - row_ptr[node]
    edge_index = np.stack([node, problem.A.indices[source].astype(np.int64)])
    return BipartiteGraph(problem.n, row, sign, side, edge_index, sign[node] * problem.A.data[source], row_ptr)
