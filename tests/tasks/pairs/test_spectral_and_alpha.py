"""The checks of embeddings and gradients: what they measure, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from data.pairs.embeddings import EmbeddingPair, random_embeddings
from data.pairs.graph import block_graph
from models.ssl.parts.losses.alpha_cl import alpha_cl
from models.ssl.parts.losses.dcl import dcl
from runs.errors import ConfigError
from solvers.spectral.references import eigenmaps
from tasks.pairs.alpha import AlphaTheory, gradient
from tasks.pairs.spectral import SpectralTheory

PAIR = random_embeddings("p", np.random.default_rng(0), 12, 6, 0.5)
SPECTRAL: dict[str, Any] = {
    "seed": 0,
    "dimension": 2,
    "weights": [2.5, 500.0],
    "correlations": [0.9, 0.6, 0.2],
    "samples": 60,
    "canonical_dimension": 1,
    "redundancies": [1.0],
    "drawn": 0,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_check_of_a_graph_leaves_its_number() -> None:
    graph = block_graph("g", np.random.default_rng(0), 30, 3, 0.9, 0.1)
    found = SpectralTheory(**SPECTRAL).result(0, "set/g", graph).metrics
    assert found["contrastive_angle"] < 1e-3
    assert found["contrastive_eigenvalue_error"] < 1e-6
    assert found["trace_error_500"] < 0.005 < found["trace_error_2_5"]
    assert found["std_500"] == pytest.approx(1, rel=1e-2)
    assert found["cca_angle_1"] < 1e-3
    assert found["trusted_weight"] == pytest.approx(4 * eigenmaps(graph, 2)[0].sum())


def test_the_trace_of_eigenmaps_is_the_sum_of_their_eigenvalues() -> None:
    graph = block_graph("g", np.random.default_rng(0), 30, 3, 0.9, 0.1)
    values, vectors = eigenmaps(graph, 3)
    assert graph.trace(vectors * np.sqrt(29)) == pytest.approx(values.sum())


def test_alpha_cl_at_power_two_has_t_times_the_gradient_of_dcl() -> None:
    ours = gradient(lambda a, b: alpha_cl(a, b, 0.5, 2.0), PAIR)
    np.testing.assert_allclose(ours, 0.5 * gradient(lambda a, b: dcl(a, b, 0.5), PAIR), rtol=1e-10, atol=1e-15)


def test_at_other_powers_it_has_not() -> None:
    found = AlphaTheory(0.5, [2.0, 4.0], drawn=0).result(0, "set/p", PAIR).metrics
    assert found["gradient_error_2"] < 1e-12 < 0.05 < found["gradient_error_4"]
    assert found["nt_xent_error_2"] > 0.01
    assert 0.5 < found["gradient_cosine_4"] < 1 - 1e-6


def test_a_gradient_is_that_of_finite_differences() -> None:
    direction, step = np.random.default_rng(1).normal(size=(2, 12, 6)), 1e-6
    exact = np.sum(gradient(lambda a, b: dcl(a, b, 0.5), PAIR) * direction)

    def moved(sign: float) -> float:
        z = torch.from_numpy(np.stack([PAIR.first, PAIR.second]) + sign * step * direction)
        return dcl(z[0], z[1], 0.5).item()

    assert exact == pytest.approx((moved(1) - moved(-1)) / (2 * step), rel=1e-6)


def test_more_noise_makes_partners_less_alike() -> None:
    def alikeness(pair: EmbeddingPair) -> float:
        norms = np.linalg.norm(pair.first, axis=1) * np.linalg.norm(pair.second, axis=1)
        return float(np.mean(np.sum(pair.first * pair.second, axis=1) / norms))

    found = [alikeness(random_embeddings("p", np.random.default_rng(0), 200, 16, noise)) for noise in (0.0, 0.5, 2.0)]
    assert found[0] == pytest.approx(1)
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectralTheory(**{**SPECTRAL, "weights": []}), r"task\.weights"),
        (lambda: SpectralTheory(**{**SPECTRAL, "redundancies": [-1.0]}), r"task\.redundancies"),
        (lambda: SpectralTheory(**{**SPECTRAL, "canonical_dimension": 3}), r"task\.canonical_dimension is 3"),
        (lambda: AlphaTheory(0.0, [2.0]), r"task\.temperature is 0"),
        (lambda: AlphaTheory(0.5, []), r"task\.powers \[\]"),
        (lambda: random_embeddings("p", np.random.default_rng(0), 1, 4, 0.1), "batch is 1"),
    ],
)
def test_settings_that_make_no_check_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_graph_with_too_few_nodes_for_the_dimension_is_named() -> None:
    graph = block_graph("g", np.random.default_rng(0), 4, 2, 1.0, 1.0)
    with pytest.raises(ConfigError, match="only 4 nodes"):
        SpectralTheory(**{**SPECTRAL, "dimension": 3}).result(0, "set/g", graph)
