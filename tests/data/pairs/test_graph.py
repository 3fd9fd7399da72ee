"""Graphs of positive pairs, linear views and the instances drawn of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.pairs.drawn import Drawn
from data.pairs.graph import PairGraph, block_graph
from data.pairs.linear_views import linear_views
from runs.errors import ConfigError, InvalidProblem

SETTINGS: dict[str, Any] = {"nodes": 24, "blocks": 3, "inside": 0.9, "outside": 0.1}


def draw(seed: int = 0, **changes: Any) -> PairGraph:
    return block_graph("g", np.random.default_rng(seed), **{**SETTINGS, **changes})


def test_the_laplacian_measures_squared_differences_over_pairs() -> None:
    graph = draw()
    z = np.random.default_rng(1).normal(size=24)
    by_pairs = sum(graph.weights[i, j] * (z[i] - z[j]) ** 2 for i in range(24) for j in range(24)) / 2
    assert z @ graph.laplacian @ z == pytest.approx(by_pairs)


def test_the_normalised_graph_keeps_the_roots_of_the_degrees() -> None:
    graph = draw()
    root = np.sqrt(graph.degrees)
    np.testing.assert_allclose(graph.normalised @ root, root)


def test_without_pairs_between_blocks_each_block_is_a_component() -> None:
    values = np.linalg.eigvalsh(draw(inside=1.0, outside=0.0).laplacian)
    assert np.sum(np.abs(values) < 1e-9) == 3


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), "not negative"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "finite"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (np.eye(2), "diagonal"),
        (np.diag([1.0], 1) + np.diag([1.0], -1) * 1.0, None),
        (np.zeros((2, 2)), "node 0 has no partner"),
    ],
)
def test_what_is_no_graph_of_pairs_is_named(weights: np.ndarray, message: str | None) -> None:
    graph = PairGraph("g", weights)
    if message is None:
        assert graph.validate() is graph
        return
    with pytest.raises(InvalidProblem, match=message):
        graph.validate()


@pytest.mark.parametrize(
    ("changes", "message"), [({"blocks": 13}, "blocks is 13"), ({"inside": 1.5}, "inside"), ({"outside": -0.1}, "outs")]
)
def test_settings_that_make_no_blocks_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(**changes)


def test_views_have_the_canonical_correlations_asked_for() -> None:
    views = linear_views("v", np.random.default_rng(0), 50_000, [0.9, 0.5, 0.1])
    x, y = (np.linalg.qr(view)[0] for view in (views.first, views.second))
    np.testing.assert_allclose(np.linalg.svd(x.T @ y)[1], [0.9, 0.5, 0.1], atol=0.02)


@pytest.mark.parametrize(
    ("samples", "correlations", "message"),
    [(100, [1.0], "correlations"), (100, [], "correlations"), (3, [0.5], "samp")],
)
def test_settings_that_make_no_views_are_named(samples: int, correlations: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        linear_views("v", np.random.default_rng(0), samples, correlations)


def test_an_instance_depends_on_seed_and_index_alone() -> None:
    few, many = (Drawn(lambda name, rng: (name, rng.random()), count, 5, "set") for count in (2, 9))
    many.setup()
    assert few.instance(1) == many.test_problems[1][1]  # type: ignore[index]
    assert few.instance(0) != few.instance(1)
    with pytest.raises(ConfigError, match=r"data\.count is 0"):
        Drawn(lambda name, rng: name, 0, 5, "set")
