"""The bipartite graph against a loop over dense rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ilp.graph import bipartite_graph
from data.ilp.problem import ILP


@given(st.integers(0, 6), st.integers(1, 5), st.integers(0, 2**32))
@settings(max_examples=100)
def test_graph_equals_a_loop_over_dense_rows(m, n, seed):
    rng = np.random.default_rng(seed)
    A = rng.integers(-2, 3, (m, n)).astype(float)
    lo, hi = np.sort(rng.integers(-3, 4, (2, m)), axis=0).astype(float)
    lo[rng.random(m) < 0.4], hi[rng.random(m) < 0.4] = -np.inf, np.inf
    graph = bipartite_graph(ILP.build(np.zeros(n), A, lo, hi))

    nodes, edges = [], []
    for i in range(m):
        for sign, side in ((-1.0, -lo[i]), (1.0, hi[i])):
            if np.isfinite(side):
                edges += [(len(nodes), j, sign * A[i, j]) for j in range(n) if A[i, j]]
                nodes.append((i, sign, side))
    assert graph.variables == n
    assert list(zip(graph.row, graph.sign, graph.side, strict=True)) == nodes
    assert list(zip(*graph.edge_index, graph.coefficient, strict=True)) == edges
    assert graph.row_ptr.tolist() == [sum(node < k for node, _, _ in edges) for k in range(len(nodes) + 1)]


def test_points_are_feasible_exactly_when_they_keep_every_one_sided_row():
    rng = np.random.default_rng(1)
    problem = ILP.build(np.zeros(4), rng.integers(-2, 3, (5, 4)), -1, [1, np.inf, 0, 2, -1], lb=-2, ub=2)
    graph = bipartite_graph(problem)
    for _ in range(200):
        x = rng.integers(-2, 3, 4).astype(float)
        left = np.bincount(graph.edge_index[0], graph.coefficient * x[graph.edge_index[1]], len(graph.row))
        assert problem.is_feasible(x) == bool((left <= graph.side).all())
