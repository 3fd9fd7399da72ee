"""The quantities of a training on attention paths whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from tasks.text.attention_statistics import QUANTITIES, AttentionPath, slope


def path(c: list[list[float]], z: list[list[float]] | None = None, distinct: int = 2) -> AttentionPath:
    """One cell, seed and class."""
    shares = torch.tensor(c, dtype=torch.float64)
    logits = torch.zeros_like(shares) if z is None else torch.tensor(z, dtype=torch.float64)
    steps = [10 * i for i in range(len(c))]
    return AttentionPath(steps, shares[:, None, None, None], logits[:, None, None, None], distinct)


def measured(quantity: str, *args: object, **kwargs: object) -> float:
    return float(path(*args, **kwargs).measure(middle=10, snapshot=10)[quantity])  # type: ignore[arg-type]


def test_entropy_looks_at_distinct_tokens_only_and_renormalises() -> None:
    rows = [[0.5, 0.25, 0.25]] * 2 + [[0.8, 0.05, 0.15]]
    assert measured("entropy", rows) == pytest.approx(stats.entropy([0.25, 0.75]))
    assert measured("top_share", rows) == pytest.approx(0.75)


def test_entropy_of_a_token_that_takes_all_is_zero() -> None:
    assert measured("entropy", [[0.5, 0.25, 0.25]] * 2 + [[0.5, 0.0, 0.5]]) == 0.0


def test_entropy_is_averaged_over_classes() -> None:
    c = torch.tensor([[[[[0.5, 0.5], [0.9, 0.1]]]]], dtype=torch.float64).expand(3, 1, 1, 2, 2)
    found = AttentionPath([0, 10, 20], c, c, 2).measure(10)["entropy"]
    assert float(found) == pytest.approx((math.log(2) + stats.entropy([0.9, 0.1])) / 2)


def test_changes_are_from_start_to_end() -> None:
    rows = [[0.6, 0.2, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5]]
    assert measured("common_share_change", rows) == pytest.approx(-0.4)
    assert measured("early_fade", rows) == pytest.approx(0.25)
    assert measured("late_movement", rows) == pytest.approx((0.3 + 0.1 + 0.2) / (0.1 + 0.0 + 0.1))


def test_tokens_are_counted_by_the_sign_of_their_logit_s_change() -> None:
    z = [[1.0, 1.0, 1.0, 1.0], [9.0] * 4, [0.5, 1.5, 1.5, 0.9]]
    rows = [[0.25] * 4] * 3
    assert measured("distinct_rising", rows, z) == 0.5
    assert measured("common_falling", rows, z) == 0.5


def test_the_order_of_gains_is_spearman_s_correlation() -> None:
    gains = [0.3, 0.1, 0.2, 0.9, 0.4]
    z = [[0.0] * 5, [7.0] * 5, gains]
    found = measured("gain_order", [[0.2] * 5] * 3, z, distinct=5)
    assert found == pytest.approx(stats.spearmanr(range(5), gains).statistic)


def test_every_quantity_is_described() -> None:
    assert set(path([[0.5, 0.25, 0.25]] * 3).measure(10, 10)) == set(QUANTITIES)


def test_slopes_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(6), rng.random((6, 3))
    found = slope(torch.from_numpy(x), torch.from_numpy(y))
    assert found.tolist() == pytest.approx([stats.linregress(x, y[:, i]).slope for i in range(3)])
