"""Mixup and CutMix: what of an image stays is what its label keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runs.errors import ConfigError
from tasks.images.protocols.mixing import Mixing

LABELS = torch.arange(6)


def flat_images(height: int = 8, width: int = 12) -> torch.Tensor:
    """Six images, the i-th of which has the value 10^i everywhere."""
    return (10.0 ** torch.arange(6, dtype=torch.float64))[:, None, None, None].expand(6, 3, height, width)


@given(st.integers(0, 10_000))
def test_targets_are_shares_of_the_pixels(seed: int) -> None:
    images, targets = Mixing(smoothing=0.0)(flat_images(), LABELS, 6, np.random.default_rng(seed))
    assert torch.allclose(targets.sum(1), torch.ones(6, dtype=torch.float64))
    expected = targets @ (10.0 ** torch.arange(6, dtype=torch.float64))
    torch.testing.assert_close(images.mean((1, 2, 3)), expected)


def test_mixup_blends_all_pixels_of_an_image_by_its_own_share() -> None:
    images, targets = Mixing(cutmix=0.0, smoothing=0.0)(flat_images(), LABELS, 6, np.random.default_rng(0))
    assert torch.equal(images.amax((1, 2, 3)), images.amin((1, 2, 3)))
    assert len(targets.diagonal().unique()) == 6
    assert torch.equal((targets > 0).sum(1), torch.full((6,), 2))
    assert all(targets[i, 5 - i] == pytest.approx(1 - float(targets[i, i])) for i in range(6))


def test_cutmix_puts_a_rectangle_of_the_other_image() -> None:
    images, _ = Mixing(mixup=0.0, smoothing=0.0)(flat_images(), LABELS, 6, np.random.default_rng(3))
    for index, image in enumerate(images[:, 0]):
        foreign = image != 10.0**index
        assert set(image.unique().tolist()) <= {10.0**index, 10.0 ** (5 - index)}
        rows, columns = foreign.any(1).nonzero(), foreign.any(0).nonzero()
        if len(rows):
            box = foreign[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert box.all() and int(box.sum()) == int(foreign.sum())


def test_shares_follow_their_beta_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    images, labels = torch.zeros(4000, 1, 1, 1), torch.arange(4000) % 2
    labels[2000:] = 1 - labels[:2000].flip(0)  # each is mixed with the other class
    _, targets = Mixing(cutmix=0.0, smoothing=0.0)(images, labels, 2, np.random.default_rng(1))
    kept = targets.gather(1, labels[:, None])[:, 0]
    assert stats.kstest(kept.numpy(), stats.beta(0.8, 0.8).cdf).pvalue > 0.01


def test_smoothing_spreads_a_tenth_over_all_classes() -> None:
    images, targets = Mixing(mixup=0, cutmix=0, smoothing=0.1)(flat_images(), LABELS, 6, np.random.default_rng(0))
    assert torch.equal(images, flat_images())
    torch.testing.assert_close(targets, 0.9 * torch.eye(6, dtype=torch.float64) + 0.1 / 6)


def test_the_same_generator_gives_the_same_batch() -> None:
    one, other = (Mixing()(flat_images(), LABELS, 6, np.random.default_rng(9)) for _ in range(2))
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


@pytest.mark.parametrize("bad", [{"mixup": -0.1}, {"cutmix": float("nan")}, {"smoothing": 1.0}])
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    (name,) = bad
    with pytest.raises(ConfigError, match=rf"mixing\.{name} is"):
        Mixing(**bad)
