from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.graphs.relational import RelationalGraph, batch
from runs.errors import InvalidProblem

RELATIONS = ("near", "far")


@st.composite
def graphs(draw: st.DrawFn) -> RelationalGraph:
    """A graph of two relations; each edge has a number that tells it from all others."""
    nodes = draw(st.integers(1, 5))
    ends = st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=8)
    edges, numbers = {}, {}
    for i, relation in enumerate(RELATIONS):
        pairs = np.array(draw(ends), np.int64).reshape(-1, 2)
        edges[relation] = (pairs[:, 0], pairs[:, 1])
        numbers[relation] = {"number": 100 * i + np.arange(len(pairs))}
    return RelationalGraph.of(nodes, edges, {"place": np.arange(nodes)}, numbers)


def triples(graph: RelationalGraph) -> list[tuple[int, int, int, int]]:
    columns = (graph.relation, graph.source, graph.target, graph.edge_features["number"])
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@given(graphs())
def test_rows_hold_the_edges_that_arrive_at_a_node_in_their_order(graph: RelationalGraph) -> None:
    for r, relation in enumerate(RELATIONS):
        part = graph.of_relation(relation)
        assert (graph.relation[part] == r).all()
        for node in range(graph.nodes):
            row = slice(graph.pointer[r, node], graph.pointer[r, node + 1])
            assert (graph.target[row] == node).all()
            assert (np.diff(graph.edge_features["number"][row]) > 0).all()
    assert graph.pointer[-1, -1] == len(graph.source)


@given(st.lists(graphs(), min_size=1, max_size=4))
def test_a_batch_is_the_union_of_its_graphs(parts: list[RelationalGraph]) -> None:
    union = batch(parts)
    before = np.cumsum([0, *(graph.nodes for graph in parts)])
    shifted = [
        (r, s + shift, t + shift, number)
        for graph, shift in zip(parts, before.tolist(), strict=False)
        for r, s, t, number in triples(graph)
    ]
    columns = (union.relation, union.source, union.target, union.edge_features["number"])
    assert sorted(zip(*(column.tolist() for column in columns), strict=True)) == sorted(shifted)
    assert torch.equal(union.graph[union.source], union.edge_graph)
    assert torch.equal(union.graph[union.target], union.edge_graph)
    assert union.node_features["place"].tolist() == [place for graph in parts for place in range(graph.nodes)]
    assert (union.nodes, union.graphs) == (before[-1], len(parts))


@given(st.lists(graphs(), min_size=1, max_size=4))
def test_a_batch_has_the_rows_of_one_graph(parts: list[RelationalGraph]) -> None:
    union = batch(parts)
    for r in range(len(RELATIONS)):
        for node in range(union.nodes):
            first, last = union.pointer[r, node : node + 2].tolist()
            assert (union.target[first:last] == node).all() and (union.relation[first:last] == r).all()
    assert union.pointer[-1, -1] == len(union.source)


def test_a_batch_moves_as_a_whole() -> None:
    graph = RelationalGraph.of(2, {"near": (np.array([0]), np.array([1]))}, {"x": np.ones((2, 3))})
    moved = batch([graph, graph]).to("meta")
    assert {moved.source.device.type, moved.node_features["x"].device.type} == {"meta"}
    assert (moved.graphs, moved.relations) == (2, ("near",))


def test_ends_and_features_that_do_not_fit_are_refused() -> None:
    pair = (np.array([0, 1]), np.array([1, 0]))
    with pytest.raises(InvalidProblem, match="relation 'near' has an edge at node 2; there are 2 nodes"):
        RelationalGraph.of(2, {"near": (np.array([0]), np.array([2]))})
    with pytest.raises(InvalidProblem, match="relation 'near' has 1 sources and 2 targets"):
        RelationalGraph.of(2, {"near": (pair[0][:1], pair[1])})
    with pytest.raises(InvalidProblem, match="node feature 'x' has 3 rows for 2 nodes"):
        RelationalGraph.of(2, {"near": pair}, {"x": np.zeros(3)})
    with pytest.raises(InvalidProblem, match="relation 'far' has 2 edges, and of their feature 'length' none"):
        RelationalGraph.of(2, {"near": pair, "far": pair}, None, {"near": {"length": np.zeros(2)}})


def test_a_batch_of_nothing_or_of_unlike_graphs_is_refused() -> None:
    near, far = (RelationalGraph.of(1, {name: (np.array([0]), np.array([0]))}) for name in RELATIONS)
    with pytest.raises(InvalidProblem, match="a batch needs one graph"):
        batch([])
    with pytest.raises(InvalidProblem, match="a batch has relations"):
        batch([near, far])
    with pytest.raises(InvalidProblem, match="other features of nodes"):
        batch([near, RelationalGraph.of(1, {"near": (np.array([0]), np.array([0]))}, {"x": np.zeros(1)})])
