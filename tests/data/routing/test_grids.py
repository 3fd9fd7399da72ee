"""Grids are those of networkx, drawn as the authors' code draws them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from data.routing.grids import CorrelatedTimes, IndependentTimes, grid_edges
from data.routing.instances import RoutingGrids
from runs.errors import ConfigError


@pytest.mark.parametrize("size", [2, 3, 7])
def test_edges_are_those_of_networkx_in_its_order(size: int) -> None:
    of_networkx = [
        (a * size + b, c * size + d) for (a, b), (c, d) in nx.grid_2d_graph(size, size).edges
    ]  # fmt: skip
    assert list(zip(*(ends.tolist() for ends in grid_edges(size)), strict=True)) == of_networkx


def test_an_instance_is_drawn_edge_by_edge_from_the_authors_seed() -> None:
    data = RoutingGrids(IndependentTimes(), size=4, deadline=1.1)
    data.setup()
    assert data.test_problems is not None
    assert len(data.test_problems) == 25  # type: ignore[arg-type]
    index, problem = data.test_problems[6]
    rng = np.random.default_rng(np.random.default_rng(10).integers(0, 1000, 25)[6])
    means, variances = [], []
    for _ in range(problem.variables):
        means.append(rng.uniform(0.1, 0.2))
        variances.append(rng.uniform(0.1, 0.3) * (1 - means[-1]))
    assert index == 6
    assert problem.means.tolist() == means
    assert problem.variances.tolist() == pytest.approx(variances, rel=1e-15)
    graph = nx.Graph()
    graph.add_weighted_edges_from(zip(problem.tails, problem.heads, means, strict=True))
    assert problem.deadline == pytest.approx(1.1 * nx.bellman_ford_path_length(graph, 0, 15))
    problem.validate()


def test_correlated_times_are_those_of_the_formula() -> None:
    law, rng = CorrelatedTimes(), np.random.default_rng(3)
    places = rng.uniform(0, 9, (20, 2))
    means, variances, factor = law.draw(places, 10, np.random.default_rng(5))
    again = np.random.default_rng(5)
    again.random((20, 2))
    centre = again.uniform(0, 9, (5, 2))[2]
    assert factor is not None
    assert factor.shape == (20, 5)
    assert factor[4, 2] == pytest.approx(0.12 * np.exp(-((places[4] - centre) ** 2).sum() / (2 * 2**2)))
    assert (means >= 0.1).all()
    assert (means <= 0.2).all()
    assert (variances > 0).all()


def test_instances_for_training_are_other_ones_and_the_same_every_time() -> None:
    drawn = [RoutingGrids(CorrelatedTimes(), size=3, training=training).problem(0) for training in (False, True, True)]
    assert not np.array_equal(drawn[0].means, drawn[1].means)
    assert np.array_equal(drawn[1].means, drawn[2].means)


def test_of_several_deadlines_every_grid_has_each() -> None:
    data = RoutingGrids(CorrelatedTimes(), size=3, count=2, first=1, deadline=[1.1, 1.3])
    data.setup()
    drawn = [data.test_problems[position] for position in range(4)]  # type: ignore[index]
    assert [index for index, _ in drawn] == [2, 3, 4, 5]
    assert drawn[1][1].deadline == pytest.approx(1.3 / 1.1 * drawn[0][1].deadline)
    assert np.array_equal(drawn[0][1].means, drawn[1][1].means)
    assert np.array_equal(drawn[0][1].means, RoutingGrids(CorrelatedTimes(), size=3).problem(1).means)


@pytest.mark.parametrize("setting", [{"size": 1}, {"count": 0}, {"deadline": -1.0}, {"first": -1}])
def test_a_setting_out_of_its_range_is_named(setting: dict[str, float]) -> None:
    (name,) = setting
    with pytest.raises(ConfigError, match=f"data.{name} is"):
        RoutingGrids(IndependentTimes(), **setting)  # type: ignore[arg-type]


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data.loss is 'late'"):
        RoutingGrids(IndependentTimes(), loss="late")  # type: ignore[arg-type]
