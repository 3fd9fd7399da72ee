"""Networks of edge costs know no unit and no order of edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.routing.grids import CorrelatedTimes, IndependentTimes, grid_problem
from models.graphs.gat import GAT
from models.routing.edges import EdgeGraphNetwork, EdgeNetwork, edge_features

PROBLEM = grid_problem(4, CorrelatedTimes(), 1.2, np.random.default_rng(0))


def graph_network() -> EdgeGraphNetwork:
    torch.manual_seed(0)
    return EdgeGraphNetwork(GAT(16, 2), 16)


def test_features_are_those_of_the_page_over_their_means() -> None:
    features = edge_features(PROBLEM)
    assert PROBLEM.factor is not None
    coupling = PROBLEM.factor @ PROBLEM.factor.sum(0)
    assert features[:, 0] == pytest.approx(PROBLEM.means / PROBLEM.means.mean())
    assert features[:, 3] == pytest.approx(coupling / coupling.mean())
    assert features[:, 4] == pytest.approx(1.2)


def test_without_a_factor_loading_and_coupling_are_0() -> None:
    features = edge_features(grid_problem(3, IndependentTimes(), 0.9, np.random.default_rng(0)))
    assert (features[:, 2:4] == 0).all()
    assert features[:, 4] == pytest.approx(0.9)


@pytest.mark.parametrize("name", ["edges", "graph"])
def test_minutes_instead_of_hours_change_nothing(name: str) -> None:
    network = EdgeNetwork() if name == "edges" else graph_network()
    assert PROBLEM.factor is not None
    minutes = replace(
        PROBLEM,
        means=60 * PROBLEM.means,
        variances=3600 * PROBLEM.variances,
        factor=60 * PROBLEM.factor,
        deadline=60 * PROBLEM.deadline,
    )
    hours = network(*network.encode(PROBLEM))
    assert hours.shape == (PROBLEM.variables,)
    assert torch.allclose(network(*network.encode(minutes)), hours, atol=1e-6)


@pytest.mark.parametrize("name", ["edges", "graph"])
def test_edges_in_another_order_have_the_same_costs(name: str) -> None:
    network = EdgeNetwork() if name == "edges" else graph_network()
    order = np.random.default_rng(1).permutation(PROBLEM.variables)
    fields = ("tails", "heads", "means", "variances", "factor")
    shuffled = replace(PROBLEM, **{field: getattr(PROBLEM, field)[order] for field in fields})
    whole = network(*network.encode(PROBLEM))
    assert torch.allclose(network(*network.encode(shuffled)), whole[order], atol=1e-5)


def test_the_graph_network_sees_more_than_the_edge_itself() -> None:
    network, changed = graph_network(), PROBLEM.means.copy()
    changed[0] *= 3
    before, after = (network(*network.encode(each)) for each in (PROBLEM, replace(PROBLEM, means=changed)))
    assert not torch.allclose(before[1:4], after[1:4], atol=1e-4)
