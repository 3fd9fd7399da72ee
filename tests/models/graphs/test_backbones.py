"""Graph encoders of bipartite graphs against their formulas written as loops, and their invariances."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from models.graphs.gat import GAT, AttentionHalfConvolution
from models.graphs.gcn import GCN, GraphHalfConvolution
from models.graphs.gin import GIN, IsomorphismHalfConvolution
from models.graphs.segments import segment_softmax, segment_sum
from runs.errors import ConfigError

BACKBONES = {
    "gat": GAT,
    "gat_sliced": lambda width: GAT(width, heads="sliced"),
    "gcn": GCN,
    "gin": GIN,
}
Graph = tuple[Tensor, Tensor, Tensor, Tensor]


def random_graph(seed: int, n: int = 7, m: int = 5, width: int = 16, density: float = 0.5) -> Graph:
    """v, c, edge_index and e in float64; the last variable and the last row have no edge."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(m, n, generator=generator) < density
    present[-1, :] = present[:, -1] = False
    edge_index = present.nonzero().T
    draw = [torch.randn(size, width, generator=generator, dtype=torch.float64) for size in (n, m, edge_index.shape[1])]
    return draw[0], draw[1], edge_index, draw[2]


def attention_by_loops(layer: AttentionHalfConvolution, graph: Graph, sliced: bool) -> Tensor:
    """docs/papers/cl_lns.md#(3), #(4), edge by edge, r included: one concatenated vector per edge, cut into heads."""
    source, target, (target_of, source_of), e = graph[0], graph[1], graph[2], graph[3]
    l, r = layer.source(source), layer.target(target)  # noqa: E741
    heads, _, size = layer.attention.shape
    pooled = torch.zeros_like(target)
    for i in range(len(target)):
        edges = (target_of == i).nonzero().flatten().tolist()
        if not edges:
            continue
        logits = []
        for k in edges:
            parts = [r[i], l[source_of[k]], e[k]]
            if sliced:
                pieces = torch.cat(parts).view(heads, 3 * size)
            else:
                pieces = torch.cat([part.view(heads, size) for part in parts], 1)
            logits.append((layer.attention.reshape(heads, -1) * leaky_relu(pieces, 0.2)).sum(1))
        alpha = torch.stack(logits).softmax(0)
        for weight, k in zip(alpha, edges, strict=True):
            pooled[i] += (weight[:, None] * l[source_of[k]].view(heads, size)).flatten()
    return layer.output(torch.cat([pooled, target], 1))


@pytest.mark.parametrize("heads", ["aligned", "sliced"])
def test_attention_is_the_papers_formula(heads: str) -> None:
    torch.manual_seed(0)
    layer = AttentionHalfConvolution(64, 8, heads, 0.2).double()  # type: ignore[arg-type]
    v, c, edge_index, e = random_graph(1, width=64)

    ours = layer(v, c, edge_index[1], edge_index[0], e)

    torch.testing.assert_close(ours, attention_by_loops(layer, (v, c, edge_index, e), heads == "sliced"))


def test_sliced_heads_pool_uniformly_where_they_see_the_target_alone() -> None:
    torch.manual_seed(0)
    layer = AttentionHalfConvolution(64, 8, "sliced", 0.2).double()
    v, _, edge_index, e = random_graph(2, width=64)

    logits = layer._score(layer.source(v), 1)[edge_index[1]] + layer._score(e, 2)

    assert (logits[:, :2] == 0).all()
    assert (layer._score(layer.source(v), 1)[:, 6:] == 0).all()
    assert (logits[:, 2:] != 0).all()


def test_graph_convolution_is_the_formula_with_messages_per_edge() -> None:
    torch.manual_seed(0)
    layer = GraphHalfConvolution(16).double()
    for norm in (layer.message_norm, layer.sum_norm):
        norm.std.uniform_(0.5, 2.0)
    v, c, (row, variable), e = random_graph(3)

    expected = torch.zeros_like(c)
    for k in range(len(row)):
        inner = layer.target(c[row[k]]) + layer.edge(e[k]) + layer.source(v[variable[k]])
        expected[row[k]] += layer.message(relu(inner / layer.message_norm.std))
    expected = layer.output(torch.cat([expected / layer.sum_norm.std, c], 1))

    torch.testing.assert_close(layer(v, c, variable, row, e), expected)


def test_isomorphism_convolution_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = IsomorphismHalfConvolution(16, 0.5).double()
    v, c, (row, variable), e = random_graph(4)

    expected = 1.5 * c
    for k in range(len(row)):
        expected[row[k]] += relu(v[variable[k]] + e[k])

    torch.testing.assert_close(layer(v, c, variable, row, e), layer.output(expected))
    assert [m.out_features for m in layer.output if isinstance(m, nn.Linear)] == [32, 64, 32, 16]


@pytest.mark.parametrize("name", BACKBONES)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**31 - 1))
def test_renaming_nodes_and_reordering_edges_renames_the_output(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    backbone = BACKBONES[name](16).double()
    v, c, edge_index, e = random_graph(seed)
    variables, rows, edges = torch.randperm(len(v)), torch.randperm(len(c)), torch.randperm(len(e))
    renamed = torch.stack([rows.argsort()[edge_index[0]], variables.argsort()[edge_index[1]]])[:, edges]

    torch.testing.assert_close(
        backbone(v[variables], c[rows], renamed, e[edges]), backbone(v, c, edge_index, e)[variables]
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_a_union_of_graphs_is_encoded_as_each_alone(name: str) -> None:
    torch.manual_seed(0)
    backbone = BACKBONES[name](16).double()
    first, second = random_graph(5), random_graph(6, n=4, m=9)
    shifted = second[2] + torch.tensor([[len(first[1])], [len(first[0])]])
    union = [torch.cat([a, b]) for a, b in zip(first[:2], second[:2], strict=True)]

    together = backbone(*union, torch.cat([first[2], shifted], 1), torch.cat([first[3], second[3]]))

    torch.testing.assert_close(together, torch.cat([backbone(*first), backbone(*second)]))


@pytest.mark.parametrize("name", BACKBONES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    backbone = BACKBONES[name](8).double()
    v, c, edge_index, e = random_graph(7, n=4, m=3, width=8)
    inputs = [tensor.requires_grad_() for tensor in (v, c, e)]

    assert torch.autograd.gradcheck(lambda v, c, e: backbone(v, c, edge_index, e), inputs)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_that_is_trained_receives_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    backbone = BACKBONES[name](16).double()

    backbone(*random_graph(8)).square().sum().backward()

    trained = {key: value for key, value in backbone.named_parameters() if value.requires_grad}
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in trained.values())


def test_the_targets_part_of_attention_has_no_influence() -> None:
    torch.manual_seed(0)
    backbone, graph = GAT(16).double(), random_graph(9)
    before = backbone(*graph)

    with torch.no_grad():
        backbone.to_rows.target.weight.mul_(3)
        backbone.to_rows.attention[:, 0] += 5

    assert torch.equal(backbone(*graph), before)


def test_softmax_of_segments_bears_huge_logits_and_empty_segments() -> None:
    logits = torch.tensor([[1e4], [-1e4], [-3e4], [-3e4]])
    node = torch.tensor([0, 0, 2, 2])

    assert segment_softmax(logits, node, 3).flatten().tolist() == [1.0, 0.0, 0.5, 0.5]
    assert segment_sum(torch.ones(4, 1), node, 3).flatten().tolist() == [2.0, 0.0, 2.0]


def test_unknown_heads_and_unequal_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose aligned or sliced"):
        GAT(heads="diced")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="width is 60 and number_of_heads 8"):
        GAT(width=60)
