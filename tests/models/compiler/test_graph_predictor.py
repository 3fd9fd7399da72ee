from __future__ import annotations

import numpy as np
import pytest
import torch

from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.views import Arrays, GraphView
from models.compiler.graph_predictor import UNKNOWN, GraphPredictor
from models.graphs.relational.gean import GEAN

VIEW = GraphView()


@pytest.fixture(scope="module")
def seen() -> list[Arrays]:
    with LlvmliteCompiler("single") as compiler:
        return [VIEW.of(compiler.load(program.bitcode)) for program in drawn_programs(3)]


def predictor() -> GraphPredictor:
    torch.manual_seed(0)
    return GraphPredictor(GEAN(16, 8, 2, heads=2), 5, 16, 8, pool_edges=True).eval()


def test_programs_of_a_batch_are_scored_as_alone(seen: list[Arrays]) -> None:
    network = predictor()
    network.fit(VIEW.batch(seen))
    with torch.no_grad():
        whole = network(VIEW.batch(seen))
        alone = torch.cat([network(VIEW.batch([each])) for each in seen])
    assert whole.shape == (3, 5) and torch.allclose(whole, alone, atol=1e-5)
    assert [VIEW.size(each) for each in seen] == [len(each["type"]) for each in seen]


def test_the_view_keeps_the_graph(seen: list[Arrays]) -> None:
    with LlvmliteCompiler("single") as compiler:
        graph = compiler.load(drawn_programs(1)[0].bitcode).graph().graph
    batch = VIEW.batch(seen[:1])
    assert batch.relations == graph.relations and batch.nodes == graph.nodes
    assert np.array_equal(batch.source, graph.source) and np.array_equal(batch.relation, graph.relation)
    assert np.array_equal(batch.edge_features["position"], graph.edge_features["position"])


def test_texts_that_were_not_learned_are_one(seen: list[Arrays]) -> None:
    network = predictor()
    network.fit(VIEW.batch(seen))
    strange = {**seen[0], "text": np.full_like(seen[0]["text"], 4000)}
    other = {**seen[0], "text": np.full_like(seen[0]["text"], 4001)}
    assert not network.known[4000] and not network.known[4001] and not network.known[UNKNOWN]
    with torch.no_grad():
        assert torch.equal(network(VIEW.batch([strange])), network(VIEW.batch([other])))
        assert not torch.allclose(network(VIEW.batch([strange])), network(VIEW.batch(seen[:1])))
