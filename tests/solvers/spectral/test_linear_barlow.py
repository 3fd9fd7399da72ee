"""Linear Barlow Twins is canonical correlation analysis, unless correlations off the diagonal cost next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from data.pairs.graph import block_graph
from data.pairs.linear_views import linear_views
from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.parts.losses.vicreg import vicreg_terms
from runs.errors import ConfigError
from solvers.spectral.linear_barlow import LinearBarlow, numerical_rank
from solvers.spectral.references import canonical_variates, largest_angle, whitened
from solvers.spectral.vicreg import graph_vicreg_loss

VIEWS = linear_views("v", np.random.default_rng(0), 300, [0.95, 0.8, 0.5, 0.3, 0.1])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def angles(redundancy: float, seed: int = 1) -> list[float]:
    projections = LinearBarlow(2, redundancy).encode(VIEWS, np.random.default_rng(seed))
    _, *variates = canonical_variates(VIEWS)
    return [largest_angle(z, v[:, :2]) for z, v in zip(projections, variates, strict=True)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_at_unit_redundancy_both_encoders_span_the_first_canonical_variates(seed: int) -> None:
    assert max(angles(1.0, seed)) < 1e-3


def test_canonical_variates_are_white_and_correlated_in_pairs_only() -> None:
    correlations, first, second = canonical_variates(VIEWS)
    np.testing.assert_allclose(first.T @ second / 300, np.diag(correlations), atol=1e-12)
    np.testing.assert_allclose(first.T @ first / 300, np.eye(5), atol=1e-12)
    assert (np.diff(correlations) < 0).all()


def test_canonical_correlations_are_those_of_scikit_learn() -> None:
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    x, y = cross_decomposition.CCA(2, tol=1e-12, max_iter=5000).fit_transform(VIEWS.first, VIEWS.second)
    theirs = [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(canonical_variates(VIEWS)[0][:2], theirs, rtol=1e-6)


def test_the_usual_redundancy_leans_on_fewer_directions_because_that_is_cheaper() -> None:
    ranks, losses = [], []
    for weight in (0.005, 1.0):
        projections = LinearBarlow(3, weight).encode(VIEWS, np.random.default_rng(0))
        ranks.append(numerical_rank(projections[0]))
        losses.append(barlow_twins(*map(torch.from_numpy, projections), 0.005).item())
    assert ranks[0] < 2 < 2.9 < ranks[1]
    _, *variates = canonical_variates(VIEWS)
    of_cca = barlow_twins(*(torch.from_numpy(v[:, :3]) for v in variates), 0.005).item()
    assert losses[0] < 0.5 * min(losses[1], of_cca)


def test_a_whitened_view_has_unit_covariance_and_the_same_span() -> None:
    white = whitened(VIEWS.first)
    np.testing.assert_allclose(white.T @ white / 300, np.eye(5), atol=1e-12)
    assert largest_angle(white, VIEWS.first) < 1e-4


def test_more_projections_than_dimensions_are_refused() -> None:
    with pytest.raises(ConfigError, match="dimension is 6, more than the 5"):
        LinearBarlow(6, 1.0).encode(VIEWS, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="redundancy 0"):
        LinearBarlow(2, 0.0)


def test_on_a_graph_vicreg_has_the_variance_and_covariance_of_the_recipe() -> None:
    graph = block_graph("g", np.random.default_rng(0), 30, 3, 0.9, 0.1)
    Z = 0.7 * np.random.default_rng(1).normal(size=(30, 4))
    terms = vicreg_terms(torch.from_numpy(Z), torch.from_numpy(Z))
    invariance = 2 * np.sum(Z * (graph.laplacian @ Z)) / 30
    expected = invariance + 7 * (terms.variance + terms.covariance).item() / 2
    assert graph_vicreg_loss(graph.laplacian, Z, 7.0, 0.0)[0] == pytest.approx(expected)
