"""The peers of the benchmark of views do the same job as we do."""

from __future__ import annotations

import pytest
import torch

from benchmarks.view_schemes import kornia_views, pillow_views
from benchmarks.views import KINDS, ours
from data.images.views import jitter
from tests.data.images.pictures import photographs


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("peer", [pillow_views, kornia_views])
def test_views_of_a_peer_have_our_mean_and_spread(kind: str, peer) -> None:
    theirs = peer(KINDS[kind], 16)
    if theirs is None:
        pytest.skip("kornia is not installed")
    torch.manual_seed(0)
    images = photographs(600, 20, 20)
    mine, other = ours(KINDS[kind], 16)(images), theirs(images)
    assert other.shape == mine.shape
    for statistic in (lambda x: x.mean(dim=(1, 2, 3)), lambda x: x.std(dim=(2, 3)).mean(dim=1)):
        a, b = statistic(mine), statistic(other)
        standard_error = ((a.var() + b.var()) / len(images)).sqrt()
        assert abs(a.mean() - b.mean()) < 4 * standard_error + 0.02  # Pillow rounds every step down or to levels


@pytest.mark.parametrize("shift", [-0.4, 0.1])
def test_the_hue_of_kornia_is_ours(shift: float) -> None:
    enhance = pytest.importorskip("kornia.enhance")
    images = photographs(4).float() / 255
    theirs = enhance.adjust_hue(images, shift * 2 * torch.pi)
    assert torch.allclose(jitter.hue(images.clone(), torch.full((4, 1, 1, 1), shift)), theirs, atol=1e-4)
