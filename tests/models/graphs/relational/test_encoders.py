from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from data.graphs.relational import RelationalBatch, RelationalGraph, batch
from models.graphs.relational.encoder import GraphEncoder
from models.graphs.relational.gat import GATv2, GraphAttention
from models.graphs.relational.gcn import GCN, GraphConvolution
from models.graphs.relational.gean import GEAN, SPREAD, CutNormalLinear, EdgeAttention
from models.graphs.relational.ggc import GGC, GatedConvolution
from models.graphs.relational.gin import GIN, IsomorphismLayer
from runs.errors import ConfigError

WIDTH, EDGE = 8, 4
MAKE: dict[str, Callable[[], nn.Module]] = {
    "gat": lambda: GATv2(WIDTH, EDGE, 2, heads=2),
    "gcn": lambda: GCN(WIDTH, EDGE, 2),
    "gean": lambda: GEAN(WIDTH, EDGE, 2, heads=2),
    "ggc": lambda: GGC(WIDTH, 2),
    "gin": lambda: GIN(WIDTH, EDGE, 2),
}


def drawn(seed: int, nodes: int = 6, edges: int = 9) -> RelationalGraph:
    rng = np.random.default_rng(seed)
    ends = {name: (rng.integers(nodes, size=edges), rng.integers(nodes, size=edges)) for name in ("a", "b", "c")}
    return RelationalGraph.of(
        nodes,
        ends,
        {"x": rng.normal(size=(nodes, WIDTH)).astype(np.float32)},
        {name: {"e": rng.normal(size=(edges, EDGE)).astype(np.float32)} for name in ends},
    )


def encoded(encoder: GraphEncoder, graph: RelationalBatch) -> torch.Tensor:
    with torch.no_grad():
        return encoder(graph.node_features["x"], graph, graph.edge_features["e"]).nodes


@pytest.mark.parametrize("name", sorted(MAKE))
def test_graphs_of_a_batch_do_not_see_each_other(name: str) -> None:
    torch.manual_seed(0)
    encoder = MAKE[name]().eval()
    graphs = [drawn(1), drawn(2, nodes=4), drawn(3)]
    whole = encoded(encoder, batch(graphs))
    alone = torch.cat([encoded(encoder, batch([graph])) for graph in graphs])
    assert torch.allclose(whole, alone, atol=1e-5)
    assert whole.std() > 0.01


@pytest.mark.parametrize("name", sorted(MAKE))
def test_names_of_nodes_do_not_matter(name: str) -> None:
    torch.manual_seed(0)
    encoder, graph = MAKE[name]().eval(), drawn(4)
    order = np.random.default_rng(5).permutation(graph.nodes)
    place = np.argsort(order)  # old node at each new place is order[place]
    edges = {
        r: (place[graph.source[s]], place[graph.target[s]]) for r in graph.relations for s in [graph.of_relation(r)]
    }
    features = {r: {"e": graph.edge_features["e"][graph.of_relation(r)]} for r in graph.relations}
    other = RelationalGraph.of(graph.nodes, edges, {"x": graph.node_features["x"][order]}, features)
    found = encoded(encoder, batch([other]))
    assert torch.allclose(found, encoded(encoder, batch([graph]))[torch.from_numpy(order)], atol=1e-5)


@pytest.mark.parametrize("name", sorted(MAKE))
def test_every_weight_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    encoder, graph = MAKE[name](), batch([drawn(1), drawn(2)])
    found = encoder(graph.node_features["x"], graph, graph.edge_features["e"])
    loss = found.nodes.square().sum() + (0 if found.edges is None else found.edges.square().sum())
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in encoder.parameters())


def test_edge_attention_is_that_of_the_concatenating_layer() -> None:
    torch.manual_seed(0)
    layer, graph = EdgeAttention(WIDTH, EDGE, 2), batch([drawn(1)])
    x, e = graph.node_features["x"], graph.edge_features["e"]
    nodes, edges = layer.node_norm(x), layer.edge_norm(e)
    first = torch.cat([layer.of_source.weight, layer.of_target.weight, layer.of_edge.weight], dim=1)
    received: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in range(len(x))]
    new_edges = []
    for k, (s, t) in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True)):
        hidden = functional.gelu(first @ torch.cat([nodes[s], nodes[t], edges[k]]) + layer.of_edge.bias)
        a_s, a_t, m_s, m_t, m_e = layer.messages(hidden).split([2, 2, WIDTH, WIDTH, EDGE])
        received[s].append((a_s, m_s))
        received[t].append((a_t, m_t))
        new_edges.append(e[k] + functional.gelu(layer.to_edge(layer.message_norm(m_e))))
    new_nodes = []
    for v, arrived in enumerate(received):
        total = torch.zeros(WIDTH)
        if arrived:
            weights = torch.softmax(torch.stack([a for a, _ in arrived]), dim=0)
            messages = torch.stack([m for _, m in arrived]).view(-1, 2, WIDTH // 2)
            total = (weights[:, :, None] * messages).sum(0).flatten()
        new_nodes.append(x[v] + functional.gelu(layer.to_node(layer.arrived_norm(total))))
    found_nodes, found_edges = layer(x, graph, e)
    assert torch.allclose(found_nodes, torch.stack(new_nodes), atol=1e-5)
    assert torch.allclose(found_edges, torch.stack(new_edges), atol=1e-5)


def test_weights_of_edge_attention_begin_small_and_cut() -> None:
    layer = CutNormalLinear(200, 100)
    assert layer.weight.abs().max() <= 2 * SPREAD and 0.015 < layer.weight.std() < SPREAD and not layer.bias.any()


def test_attention_is_that_of_pytorch_geometric() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    torch.manual_seed(0)
    layer, graph = GraphAttention(WIDTH, EDGE, 2).eval(), batch([drawn(1)])
    simple = graph.source != graph.target  # it replaces self-loops, and has the mean of what is left for them
    peer = geometric.GATv2Conv(WIDTH, WIDTH // 2, heads=2, edge_dim=EDGE)
    weights = {
        "lin_l.weight": layer.of_source.weight,
        "lin_l.bias": layer.of_source.bias,
        "lin_r.weight": layer.of_target.weight,
        "lin_r.bias": layer.of_target.bias,
        "lin_edge.weight": layer.of_edge.weight,
        "att": layer.attention.weight[None],
        "bias": layer.bias,
    }
    peer.load_state_dict(weights)
    rows = np.flatnonzero(simple.numpy())
    whole = drawn(1)
    names = whole.relations
    kept = RelationalGraph.of(
        whole.nodes,
        {n: (whole.source[c], whole.target[c]) for n in names for c in [_within(whole, n, rows)]},
        dict(whole.node_features),
        {n: {"e": whole.edge_features["e"][_within(whole, n, rows)]} for n in names},
    )
    graph = batch([kept])
    x, e = graph.node_features["x"], graph.edge_features["e"]
    expected = torch.relu(layer.norm(peer(x, torch.stack([graph.source, graph.target]), e)))
    assert torch.allclose(layer(x, graph, e), expected, atol=1e-5)


def _within(graph: RelationalGraph, relation: str, rows: np.ndarray) -> np.ndarray:
    place = graph.of_relation(relation)
    return rows[(rows >= place.start) & (rows < place.stop)]


def test_isomorphism_layers_are_those_of_pytorch_geometric() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    torch.manual_seed(0)
    layer, graph = IsomorphismLayer(WIDTH, EDGE).eval(), batch([drawn(1)])
    peer = geometric.GINEConv(layer.perceptron, edge_dim=EDGE)
    peer.lin.load_state_dict(layer.of_edge.state_dict())
    x, e = graph.node_features["x"], graph.edge_features["e"]
    assert torch.allclose(layer(x, graph, e), peer(x, torch.stack([graph.source, graph.target]), e), atol=1e-5)


def test_graph_convolution_is_its_formula() -> None:
    torch.manual_seed(0)
    layer, graph = GraphConvolution(WIDTH, EDGE).eval(), batch([drawn(1)])
    x, e = layer.linear(graph.node_features["x"]), graph.edge_features["e"]
    degree = 1 + torch.bincount(graph.target, minlength=len(x))
    rows = []
    for v in range(len(x)):
        row = torch.relu(x[v] + layer.root.weight[0]) / degree[v]
        for k in torch.nonzero(graph.target == v).flatten().tolist():
            s = int(graph.source[k])
            row = row + torch.relu(x[s] + layer.of_edge(e[k])) / (degree[s] * degree[v]).sqrt()
        rows.append(row)
    expected = torch.relu(layer.norm(torch.stack(rows)))
    assert torch.allclose(layer(graph.node_features["x"], graph, e), expected, atol=1e-5)


def test_gated_convolution_sends_the_first_relation_both_ways() -> None:
    torch.manual_seed(0)
    layer, graph = GatedConvolution(WIDTH, 3, 1, 1), batch([drawn(1)])
    x = graph.node_features["x"]
    weights = layer.sent[0].weight.view(4, WIDTH, WIDTH)  # type: ignore[union-attr]
    arrived: list[list[torch.Tensor]] = [[] for _ in range(len(x))]
    for s, t, r in zip(graph.source.tolist(), graph.target.tolist(), graph.relation.tolist(), strict=True):
        arrived[t].append(weights[r] @ x[s])
        if r == 0:
            arrived[s].append(weights[3] @ x[t])
    mean = torch.stack([torch.stack(each).mean(0) if each else torch.zeros(WIDTH) for each in arrived])
    assert torch.allclose(layer(x, graph, graph.edge_features["e"]), layer.gates(mean, x), atol=1e-5)


@pytest.mark.parametrize("encoder", [GATv2, GEAN])
def test_heads_divide_the_width(encoder: type) -> None:
    with pytest.raises(ConfigError, match="the width must be a multiple of the heads"):
        encoder(width=10, heads=4)
