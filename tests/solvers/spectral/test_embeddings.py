"""Losses of free embeddings: their gradients, and the optima that spectral theory knows in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from data.pairs.graph import block_graph
from runs.errors import ConfigError, SolverFailure
from solvers.spectral.lbfgs import minimise
from solvers.spectral.references import eigenmaps, largest_angle, top_eigenvectors
from solvers.spectral.spectral_contrastive import SpectralContrastive, factorisation_loss
from solvers.spectral.vicreg import GraphVICReg, graph_vicreg_loss, rounded_hinge

GRAPH = block_graph("g", np.random.default_rng(0), nodes=60, blocks=4, inside=0.7, outside=0.05)
K = 3


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_gradient(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], Z: np.ndarray) -> None:
    direction, step = rng(9).normal(size=Z.shape), 1e-5
    measured = (loss(Z + step * direction)[0] - loss(Z - step * direction)[0]) / (2 * step)
    assert np.sum(loss(Z)[1] * direction) == pytest.approx(measured, rel=1e-6)


@pytest.mark.parametrize("rounding", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_gradients_are_those_of_finite_differences(rounding: float, scale: float) -> None:
    Z = scale * rng().normal(size=(60, K))
    assert_gradient(lambda Z: factorisation_loss(GRAPH.normalised, Z), Z)
    assert_gradient(lambda Z: graph_vicreg_loss(GRAPH.laplacian, Z, 25.0, rounding), Z)


def test_factorisation_is_contrastive_over_pairs_and_independent_nodes() -> None:
    """With degrees as the distribution of nodes: -2 E_pairs f.f' + E_independent (f.f')^2, up to ||A||^2."""
    G = GRAPH.weights / GRAPH.weights.sum()
    d = G.sum(1)
    Z = rng().normal(size=(60, K))
    f = Z / np.sqrt(d)[:, None]
    products = f @ f.T
    contrastive = -2 * np.sum(G * products) + np.sum(np.outer(d, d) * products**2)
    A = GRAPH.normalised
    np.testing.assert_allclose(factorisation_loss(A, Z)[0], np.sum(A * A) + contrastive)


def test_spectral_contrastive_finds_the_top_eigenvectors_and_their_eigenvalues() -> None:
    values, vectors = top_eigenvectors(GRAPH, K)
    Z = SpectralContrastive(K).embed(GRAPH, rng())
    assert largest_angle(Z, vectors) < 1e-4
    np.testing.assert_allclose(np.linalg.eigvalsh(Z.T @ Z)[::-1], values, atol=1e-7)


def test_strong_vicreg_attains_the_trace_of_the_eigenmaps() -> None:
    values, vectors = eigenmaps(GRAPH, K)
    Z = GraphVICReg(K, weight=8 * values.sum()).embed(GRAPH, rng())
    trace = np.sum(Z * (GRAPH.laplacian @ Z)) / (GRAPH.nodes - 1)
    assert trace == pytest.approx(values.sum(), rel=5e-3)
    assert largest_angle(Z - Z.mean(0), vectors) < 1


def test_weak_vicreg_shrinks_and_costs_no_more_than_uncorrelated_embeddings_of_the_best_scale() -> None:
    """c = w / (4 sum lambda) n / (n - 1) is the best scale of those; correlated ones may cost less still."""
    values, vectors = eigenmaps(GRAPH, K)
    weight = 1.2 * values.sum()
    scale = 0.3 * 60 / 59
    uncorrelated = graph_vicreg_loss(GRAPH.laplacian, scale * np.sqrt(59) * vectors, weight, 0.0)[0]
    assert uncorrelated == pytest.approx(weight * (1 - scale / 2), rel=2e-3), "its two terms at the best scale"
    for seed in range(3):
        Z = GraphVICReg(K, weight=weight).embed(GRAPH, rng(seed))
        assert graph_vicreg_loss(GRAPH.laplacian, Z, weight, 0.0)[0] <= uncorrelated
        assert Z.std(0, ddof=1).max() < 0.4


def test_weak_vicreg_ends_at_the_lowest_optimum_from_any_start() -> None:
    weight = 1.2 * eigenmaps(GRAPH, K)[0].sum()

    def loss(seed: int, **settings: int) -> float:
        return graph_vicreg_loss(
            GRAPH.laplacian, GraphVICReg(K, weight, **settings).embed(GRAPH, rng(seed)), weight, 0.0
        )[0]

    single = [loss(seed, starts=1) for seed in range(100, 124)]
    assert max(single) > min(single) + 1e-3, "one start may end at another optimum"
    np.testing.assert_allclose([loss(seed) for seed in range(3)], min(single), rtol=1e-6)


def test_a_search_that_ends_at_a_slope_says_so(caplog: pytest.LogCaptureFixture) -> None:
    minimise(lambda x: (float(np.sum(x**4)), 4 * x**3), np.full(3, 5.0), 2)
    assert "L-BFGS ended after 2 iterations at a gradient of" in caplog.text
    caplog.clear()
    minimise(lambda x: (float(np.sum(x**2)), 2 * x), np.full(3, 5.0), 20)
    assert not caplog.text


def test_no_scale_of_a_weak_vicreg_embedding_is_better() -> None:
    """At scale t the terms are 2 t^2 Tr(Z^T L Z) / n, w (1 - t mean std) and w t^4 sum_{i != j} C_ij^2 / K."""
    weight = 1.2 * eigenmaps(GRAPH, K)[0].sum()
    Z = GraphVICReg(K, weight=weight).embed(GRAPH, rng())
    C = np.cov(Z.T)
    off = C - np.diag(np.diag(C))
    pulls = 4 * np.sum(Z * (GRAPH.laplacian @ Z)) / 60 + 4 * weight * np.sum(off * off) / K
    assert pulls == pytest.approx(weight * Z.std(0, ddof=1).mean(), rel=2e-3)


def test_no_embedding_of_unit_variance_beats_the_eigenmaps() -> None:
    values, _ = eigenmaps(GRAPH, K)
    for seed in range(20):
        centred = rng(seed).normal(size=(60, K))
        Z = np.linalg.qr(centred - centred.mean(0))[0]
        assert np.sum(Z * (GRAPH.laplacian @ Z)) >= values.sum() - 1e-9


def test_the_hinge_is_continuous_with_a_continuous_slope_and_exact_without_rounding() -> None:
    x = np.linspace(-0.5, 0.5, 100_001)
    value, slope = rounded_hinge(x, 0.1)
    assert np.abs(np.diff(value)).max() < 2e-5
    np.testing.assert_allclose(np.gradient(value, x)[1:-1], slope[1:-1], atol=1e-4)
    np.testing.assert_array_equal(rounded_hinge(x, 0.0)[0], np.maximum(x, 0))
    assert np.max(np.maximum(x, 0) - value) == pytest.approx(0.05)


def test_a_quadratic_is_minimised_to_rounding() -> None:
    target = rng().normal(size=(4, 3))
    found = minimise(lambda x: (float(np.sum((x - target) ** 2)), 2 * (x - target)), np.zeros((4, 3)), 100)
    np.testing.assert_allclose(found, target, atol=1e-8)


def test_an_objective_without_a_value_is_a_failure() -> None:
    with pytest.raises(SolverFailure, match="nan"):
        minimise(lambda x: (float("nan"), x), np.ones(2), 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectralContrastive(0), "dimension is 0"),
        (lambda: SpectralContrastive(2, 0), "iterations is 0"),
        (lambda: GraphVICReg(1, 1.0), "dimension is 1"),
        (lambda: GraphVICReg(2, -1.0), "weight is -1"),
        (lambda: GraphVICReg(2, 1.0, roundings=[0.0]), "roundings"),
        (lambda: GraphVICReg(2, 1.0, starts=0), "starts is 0"),
    ],
)
def test_settings_that_make_no_embedding_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
