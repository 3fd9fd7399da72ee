"""Label-free measures against closed forms, slow loops and the reference values."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.representation.alpha_req import AlphaReQ, power_law
from tasks.images.representation.collapse import Collapse, collapse_signals
from tasks.images.representation.lidar import lidar
from tasks.images.representation.rank_me import RankMe, rank_me
from tasks.images.representation.spectrum import covariance_eigenvalues, effective_rank, singular_values

REFERENCE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ssl" / "reference_losses.npz"


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def parts(h: torch.Tensor, z: torch.Tensor | None = None) -> FeatureParts:
    features = Features(h, None, z)
    return FeatureParts(features, features, features, classes=0)


@pytest.mark.skipif(not REFERENCE.exists(), reason=f"no {REFERENCE}; set REPRISE_DATA")
def test_rank_me_is_the_reference_value() -> None:
    with np.load(REFERENCE, allow_pickle=False) as file:
        z, expected = torch.from_numpy(file["rank_z"]), json.loads(str(file["meta"]))["values"]["rankme"]
    assert rank_me(z) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("images", "dimension"), [(50, 6), (6, 50), (20, 20)])
def test_singular_values_are_those_of_the_decomposition(images: int, dimension: int) -> None:
    z = normal(images, dimension)
    assert torch.allclose(singular_values(z), torch.linalg.svdvals(z), rtol=1e-9)


def test_covariance_eigenvalues_are_numpys_also_in_several_chunks() -> None:
    h = normal(40_000, 4) @ normal(4, 4, seed=1) + 3
    expected = np.linalg.eigvalsh(np.cov(h.numpy(), rowvar=False))[::-1]
    np.testing.assert_allclose(covariance_eigenvalues(h).numpy(), expected, rtol=1e-9)


@given(st.integers(1, 40), st.floats(1e-3, 1e3))
def test_equal_singular_values_have_their_number_as_rank(count: int, size: float) -> None:
    spectrum = torch.cat([torch.full((count,), size, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)])
    assert effective_rank(spectrum, epsilon=1e-30) == pytest.approx(count, rel=1e-6)


def test_rank_counts_uncentred_directions_and_a_collapsed_matrix_has_rank_one() -> None:
    point = normal(1, 8).expand(100, 8)
    assert rank_me(point) == pytest.approx(1.0, abs=1e-4)
    assert effective_rank(torch.zeros(3)) == 0.0


def test_rank_me_reports_h_and_z_and_warns_of_too_few_images() -> None:
    h, z = normal(100, 4), normal(100, 20, seed=1)
    with pytest.warns(UserWarning, match="rank_me_z is of 100 images in 20 dimensions"):
        measured = RankMe().evaluate(parts(h, z))
    assert measured == {"rank_me_h": rank_me(h), "rank_me_z": rank_me(z)}
    assert RankMe(images=50).evaluate(parts(h)) == {"rank_me_h": rank_me(h[:50])}


@given(st.floats(0.1, 3.0), st.floats(1e-3, 1e3), st.integers(14, 200))
def test_a_power_law_has_its_exponent_and_explains_everything(alpha: float, scale: float, dimension: int) -> None:
    spectrum = scale * torch.arange(1, dimension + 1, dtype=torch.float64) ** -alpha
    fit = power_law(spectrum)
    assert fit.alpha == pytest.approx(alpha, rel=1e-9)
    assert fit.r_squared == pytest.approx(1.0, abs=1e-9)


def test_power_law_is_numpys_weighted_fit_of_the_eleventh_to_hundredth_value() -> None:
    spectrum = normal(120).abs().sort(descending=True).values + 1e-3
    k = np.arange(11, 101)
    slope, intercept = np.polyfit(np.log(k), np.log(spectrum.numpy()[10:100]), 1, w=np.sqrt(1 / k))
    fit = power_law(spectrum)
    assert fit.alpha == pytest.approx(-slope, rel=1e-9)
    y = np.log(spectrum.numpy()[10:100])
    mean = np.average(y, weights=1 / k)
    left = np.sum((y - slope * np.log(k) - intercept) ** 2 / k) / np.sum((y - mean) ** 2 / k)
    assert fit.r_squared == pytest.approx(1 - left, rel=1e-9)


def test_the_exponent_of_a_collapsed_spectrum_is_not_a_number() -> None:
    spectrum = torch.zeros(64, dtype=torch.float64)
    spectrum[0] = 1.0
    assert all(math.isnan(value) for value in power_law(spectrum))


def test_features_with_a_power_law_spectrum_have_its_exponent() -> None:
    dimension = 60
    basis = torch.linalg.qr(normal(500, dimension) - normal(500, dimension).mean(0)).Q
    h = (basis - basis.mean(0)) * torch.arange(1, dimension + 1) ** -0.5
    assert AlphaReQ().evaluate(parts(h))["alpha_req"] == pytest.approx(1.0, abs=0.05)


def test_lidar_is_the_slow_sum_and_the_generalised_eigenvalue_problem() -> None:
    images, views, dimension = 12, 5, 4
    x = normal(images, 1, dimension) * 2 + normal(images, views, dimension, seed=1)
    data = x.numpy()
    overall = data.reshape(-1, dimension).mean(0)
    between, within = np.zeros((dimension, dimension)), 1e-4 * np.eye(dimension)
    for i in range(images):
        centre = data[i].mean(0)
        between += np.outer(centre - overall, centre - overall) / images
        for j in range(views):
            within += np.outer(data[i, j] - centre, data[i, j] - centre) / (images * views)
    values = scipy.linalg.eigh(between, within, eigvals_only=True)
    p = values / values.sum() + 1e-7
    assert lidar(x) == pytest.approx(float(np.exp(-np.sum(p * np.log(p)))), rel=1e-9)


def test_lidar_counts_directions_that_tell_images_apart_and_not_noise_of_the_views() -> None:
    centres = torch.zeros(400, 1, 10, dtype=torch.float64)
    centres[:, :, :3] = 10 * normal(400, 1, 3)
    noisy = centres + 0.01 * normal(400, 20, 10, seed=2)
    assert lidar(noisy) == pytest.approx(3.0, abs=0.1)


def test_signals_of_hand_made_features() -> None:
    one = collapse_signals(torch.ones(10, 4))
    assert one == pytest.approx((0.0, 1.0, 1.0), abs=1e-6)
    axes = collapse_signals(torch.cat([torch.eye(4), -torch.eye(4)]))
    assert axes == pytest.approx((1.0, -1 / 7, 0.0), abs=1e-6)
    half = collapse_signals(torch.cat([normal(500, 3), torch.zeros(500, 3)], 1))
    assert half.dead == 0.5


def test_mean_cosine_is_the_loop_over_pairs() -> None:
    z = normal(9, 5)
    unit = z / z.norm(dim=1, keepdim=True)
    pairs = [float(unit[i] @ unit[j]) for i in range(9) for j in range(9) if i != j]
    assert collapse_signals(z).cosine == pytest.approx(float(np.mean(pairs)), rel=1e-5)
    measured = Collapse().evaluate(parts(z, 2 * z))
    assert measured["cosine_z"] == pytest.approx(measured["cosine_h"])
    assert set(measured) == {"spread_h", "cosine_h", "dead_h", "spread_z", "cosine_z", "dead_z"}


@pytest.mark.parametrize("protocol", [RankMe(), AlphaReQ(), Collapse()])
def test_features_that_are_not_finite_are_refused(protocol: RankMe | AlphaReQ | Collapse) -> None:
    h = normal(40, 16)
    h[7, 3], h[9, 0] = math.nan, math.inf
    with pytest.raises(ConfigError, match=r"h: 2 of 40 images have NaN or infinite features \(first: 7\)"):
        protocol.evaluate(parts(h))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"rank_me\.images is 1"):
        RankMe(images=1)
    with pytest.raises(ConfigError, match=r"alpha_req\.first is 99 and last 100"):
        AlphaReQ(first=99)
    with pytest.raises(ConfigError, match="h has only 12 dimensions"):
        AlphaReQ().evaluate(parts(normal(30, 12)))
    with pytest.raises(ConfigError, match="1 views of each"):
        lidar(normal(5, 1, 3))
