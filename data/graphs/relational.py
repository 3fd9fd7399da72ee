"""Graphs with several relations, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from runs.errors import InvalidProblem

Edges = tuple[np.ndarray, np.ndarray]
"""Sources and targets, (edges,) each."""


@dataclass(frozen=True, eq=False)
class RelationalGraph:
    """A directed multigraph whose edges are of one relation each; never changed in place. Make it by :meth:`of`.

    Edges stand relation by relation, and within one by their targets, in the order in which they were given: of relation r
    those that arrive at node v are ``pointer[r, v]`` to ``pointer[r, v + 1]`` (compressed sparse rows).

    Parameters
    ----------
    relations
        Names.
    nodes
        Number.
    source, target
        (edges,) nodes.
    pointer
        (relations, nodes + 1) places among all edges.
    node_features, edge_features
        By name, (nodes, ...) and (edges, ...).
    """

    relations: tuple[str, ...]
    nodes: int
    source: Int[np.ndarray, " edges"]
    target: Int[np.ndarray, " edges"]
    pointer: Int[np.ndarray, "relations nodes+1"]
    node_features: Mapping[str, np.ndarray]
    edge_features: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        nodes: int,
        edges: Mapping[str, Edges],
        node_features: Mapping[str, np.ndarray] | None = None,
        edge_features: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    ) -> RelationalGraph:
        """The graph of edges in any order.

        Parameters
        ----------
        nodes
            Number.
        edges
            By relation.
        node_features
            By name.
        edge_features
            By relation and name: each relation has the same names.

        Raises
        ------
        InvalidProblem
            An end is no node, or a feature is of another length than its nodes or edges; names relation or feature.
        """
        node_features, edge_features = node_features or {}, edge_features or {}
        for name, column in node_features.items():
            if len(column) != nodes:
                raise InvalidProblem(f"graph: node feature '{name}' has {len(column)} rows for {nodes} nodes")
        names = list(next(iter(edge_features.values()), {}))
        ordered: dict[str, list[np.ndarray]] = {name: [] for name in names}
        sources, targets, pointers, before = [], [], [], 0
        for relation, (source, target) in edges.items():
            _refuse_ends(relation, source, target, nodes)
            order = np.argsort(target, kind="stable")
            sources.append(np.asarray(source, np.int64)[order])
            targets.append(np.asarray(target, np.int64)[order])
            for name in names:
                ordered[name].append(_feature(edge_features, relation, name, len(source))[order])
            degrees = np.bincount(targets[-1], minlength=nodes)
            pointers.append(before + np.concatenate([[0], np.cumsum(degrees)]))
            before += len(source)
        return cls(
            tuple(edges),
            nodes,
            np.concatenate([np.empty(0, np.int64), *sources]),
            np.concatenate([np.empty(0, np.int64), *targets]),
            np.array(pointers, np.int64).reshape(len(edges), nodes + 1),
            dict(node_features),
            {name: np.concatenate(columns) for name, columns in ordered.items()},
        )

    def of_relation(self, relation: str) -> slice:
        """The places of a relation's edges among all."""
        row = self.pointer[self.relations.index(relation)]
        return slice(int(row[0]), int(row[-1]))

    @property
    def relation(self) -> Int[np.ndarray, " edges"]:
        """Index of each edge's relation."""
        return np.repeat(np.arange(len(self.relations)), self.pointer[:, -1] - self.pointer[:, 0])


def _refuse_ends(relation: str, source: np.ndarray, target: np.ndarray, nodes: int) -> None:
    if len(source) != len(target):
        raise InvalidProblem(f"graph: relation '{relation}' has {len(source)} sources and {len(target)} targets")
    for ends in (source, target):
        if len(ends) and (np.min(ends) < 0 or np.max(ends) >= nodes):
            wrong = np.min(ends) if np.min(ends) < 0 else np.max(ends)
            raise InvalidProblem(f"graph: relation '{relation}' has an edge at node {wrong}; there are {nodes} nodes")


def _feature(features: Mapping[str, Mapping[str, np.ndarray]], relation: str, name: str, edges: int) -> np.ndarray:
    column = features.get(relation, {}).get(name)
    if column is None or len(column) != edges:
        held = "none" if column is None else f"{len(column)} rows"
        raise InvalidProblem(f"graph: relation '{relation}' has {edges} edges, and of their feature '{name}' {held}")
    return np.asarray(column)


@dataclass(frozen=True, eq=False)
class RelationalBatch:
    """The union of some graphs, as tensors on one device; edges stand as in one :class:`RelationalGraph`.

    Parameters
    ----------
    relations
        Names.
    source, target
        (edges,) nodes.
    relation
        (edges,) index of each.
    pointer
        (relations, nodes + 1).
    graph
        (nodes,) the graph that each node belongs to.
    edge_graph
        (edges,) the same of edges.
    graphs
        Number.
    node_features, edge_features
        By name.
    """

    relations: tuple[str, ...]
    source: Int64[Tensor, " edges"]
    target: Int64[Tensor, " edges"]
    relation: Int64[Tensor, " edges"]
    pointer: Int64[Tensor, "relations nodes+1"]
    graph: Int64[Tensor, " nodes"]
    edge_graph: Int64[Tensor, " edges"]
    graphs: int
    node_features: Mapping[str, Tensor]
    edge_features: Mapping[str, Tensor]

    @property
    def nodes(self) -> int:
        """Of all graphs."""
        return len(self.graph)

    def to(self, device: torch.device | str) -> RelationalBatch:
        """The same on another device."""

        def moved(value: object) -> object:
            if isinstance(value, Tensor):
                return value.to(device)
            return {name: column.to(device) for name, column in value.items()} if isinstance(value, dict) else value

        return RelationalBatch(**{name: moved(value) for name, value in vars(self).items()})  # type: ignore[arg-type]


def batch(graphs: Sequence[RelationalGraph]) -> RelationalBatch:
    """Several graphs of the same relations and features as one.

    Raises
    ------
    InvalidProblem
        There is no graph, or two have other relations or features.
    """
    if not graphs:
        raise InvalidProblem("graph: a batch needs one graph at least")
    first = graphs[0]
    for graph in graphs:
        if graph.relations != first.relations:
            raise InvalidProblem(f"graph: a batch has relations {first.relations} and {graph.relations}")
        if graph.node_features.keys() != first.node_features.keys():
            raise InvalidProblem("graph: the graphs of a batch have other features of nodes")
        if graph.edge_features.keys() != first.edge_features.keys():
            raise InvalidProblem("graph: the graphs of a batch have other features of edges")
    sizes = np.array([graph.nodes for graph in graphs])
    before = np.cumsum(sizes) - sizes
    # All edges of a relation together: by relation, then by graph, then as they stand in it
    graph_of_edge = np.repeat(np.arange(len(graphs)), [len(graph.source) for graph in graphs])
    relation = np.concatenate([graph.relation for graph in graphs])
    order = np.argsort(relation, kind="stable")
    shift = before[graph_of_edge]

    def joined(columns: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(columns)[order])

    target = (np.concatenate([graph.target for graph in graphs]) + shift)[order]
    nodes = int(sizes.sum())
    key = relation[order] * nodes + target  # sorted
    starts = np.arange(len(first.relations))[:, None] * nodes + np.arange(nodes + 1)
    return RelationalBatch(
        first.relations,
        torch.from_numpy((np.concatenate([graph.source for graph in graphs]) + shift)[order]),
        torch.from_numpy(target),
        torch.from_numpy(relation[order]),
        torch.from_numpy(np.searchsorted(key, starts)),
        torch.from_numpy(np.repeat(np.arange(len(graphs)), sizes)),
        torch.from_numpy(graph_of_edge[order]),
        len(graphs),
        {
            name: torch.from_numpy(np.concatenate([graph.node_features[name] for graph in graphs]))
            for name in first.node_features
        },
        {name: joined([graph.edge_features[name] for graph in graphs]) for name in first.edge_features},
    )
