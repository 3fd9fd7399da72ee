"""The convex linear probe against scikit-learn; parts of the data do only what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.linear_lbfgs import LinearLBFGS, Standardisation, fit


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(images: int, seed: int, classes: int = 3, width: int = 6, noise: float = 1.5) -> Features:
    """Classes around means that all parts share."""
    labels = torch.randint(classes, (images,), generator=torch.Generator().manual_seed(seed))
    return Features(normal(classes, width, seed=99)[labels] + noise * normal(images, width, seed=seed), labels)


def three_parts() -> FeatureParts:
    return FeatureParts(drawn(120, 1), drawn(60, 2), drawn(80, 3), classes=3)


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
def test_the_fit_is_that_of_scikit_learns_logistic_regression(l2: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = drawn(200, 0)
    assert data.labels is not None
    ours = fit(data.h, data.labels, 3, l2, iterations=2000, tolerance=1e-10)
    theirs = linear_model.LogisticRegression(C=1 / (l2 * 200), tol=1e-10, max_iter=5000).fit(
        data.h.numpy(), data.labels
    )
    np.testing.assert_allclose(ours.weight.numpy(), theirs.coef_, atol=2e-6)
    bias = ours.bias.numpy()
    np.testing.assert_allclose(bias - bias.mean(), theirs.intercept_ - theirs.intercept_.mean(), atol=2e-6)


def test_float32_gives_the_predictions_of_float64() -> None:
    data = drawn(400, 5)
    assert data.labels is not None
    exact = fit(data.h, data.labels, 3, 1e-3)
    single = fit(data.h.float(), data.labels, 3, 1e-3)
    assert single.weight.dtype == torch.float32
    agreement = (single.predict(data.h.float()) == exact.predict(data.h)).float().mean()
    assert agreement > 0.99


def test_standardised_features_have_mean_zero_and_deviation_one_and_constant_ones_stay_finite() -> None:
    h = torch.cat([3 * normal(500, 4) + 7, torch.full((500, 1), 2.0, dtype=torch.float64)], 1)
    x = Standardisation.of(h)(h)
    assert torch.allclose(x.mean(0), torch.zeros(5, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(x[:, :4].std(0, correction=0), torch.ones(4, dtype=torch.float64))
    assert torch.equal(x[:, 4], torch.zeros(500, dtype=torch.float64))


def test_features_of_any_scale_and_place_have_the_same_accuracy() -> None:
    parts = three_parts()
    scale, place = torch.tensor([1e-3, 1.0, 1e3, 2.0, 5.0, 0.1]).double(), 3.0
    moved = [Features(part.h * scale + place, part.labels) for part in (parts.train, parts.validation, parts.test)]
    expected = LinearLBFGS(l2=[1e-2]).evaluate(parts)
    assert LinearLBFGS(l2=[1e-2]).evaluate(FeatureParts(*moved, classes=3)) == pytest.approx(expected)


def test_the_penalty_is_chosen_by_validation_accuracy_and_the_strongest_of_equals() -> None:
    parts = three_parts()
    penalties = [10.0, 1.0, 0.1, 1e-2, 1e-3]
    standardise = Standardisation.of(parts.train.h)
    reached = {}
    for l2 in penalties:
        assert parts.train.labels is not None
        model = fit(standardise(parts.train.h), parts.train.labels, 3, l2)
        reached[l2] = float((model.predict(standardise(parts.validation.h)) == parts.validation.labels).double().mean())
    best = max(penalties, key=lambda l2: (reached[l2], l2))
    assert LinearLBFGS(l2=penalties).evaluate(parts)["linear_l2"] == best
    assert LinearLBFGS(l2=penalties[::-1]).evaluate(parts) == LinearLBFGS(l2=penalties).evaluate(parts)


def test_test_labels_change_the_accuracy_and_nothing_that_was_fitted_or_chosen() -> None:
    parts = three_parts()
    labels = parts.test.labels
    assert labels is not None
    one = LinearLBFGS().evaluate(parts)
    shifted = FeatureParts(parts.train, parts.validation, Features(parts.test.h, (labels + 1) % 3), 3)
    other = LinearLBFGS().evaluate(shifted)
    assert other["linear_l2"] == one["linear_l2"]
    assert other["linear"] != one["linear"]


def test_validation_labels_move_the_choice_only() -> None:
    parts = three_parts()
    strong = LinearLBFGS(l2=[1e-2]).evaluate(parts)["linear"]
    noise = Features(parts.validation.h, torch.zeros_like(parts.validation.labels))  # type: ignore[arg-type]
    assert LinearLBFGS(l2=[1e-2]).evaluate(FeatureParts(parts.train, noise, parts.test, 3))["linear"] == strong


def test_bad_settings_missing_labels_and_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"linear\.l2 is \[\]"):
        LinearLBFGS(l2=[])
    with pytest.raises(ConfigError, match=r"linear\.l2 is \[-1\]"):
        LinearLBFGS(l2=[-1])
    parts = three_parts()
    bare = Features(parts.validation.h)
    with pytest.raises(ConfigError, match="protocol linear needs labels and these images have none"):
        LinearLBFGS().evaluate(FeatureParts(parts.train, bare, parts.test, 3))
    parts.train.h[0, 0] = math.inf
    with pytest.raises(ConfigError, match="linear: h: 1 of 120"):
        LinearLBFGS().evaluate(parts)
