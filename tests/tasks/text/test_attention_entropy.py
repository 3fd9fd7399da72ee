"""Normalised attention entropy against closed forms and a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.errors import ConfigError
from tasks.attention_entropy import AttentionEntropy, causal_entropy


def causal_maps(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random attention weights (*shape, shape[-1])."""
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(*shape, shape[-1], generator=generator)
    later = torch.ones(shape[-1], shape[-1], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -math.inf).softmax(-1)


def test_attention_to_all_keys_alike_has_entropy_one_and_to_one_key_zero() -> None:
    tokens = 9
    even = torch.ones(tokens, tokens).tril() / torch.arange(1.0, tokens + 1)[:, None]
    torch.testing.assert_close(causal_entropy(even, 1), torch.ones(tokens - 1))
    assert torch.equal(causal_entropy(torch.eye(tokens), 1), torch.zeros(tokens - 1))


def test_attention_to_two_keys_alike_has_ln_2_over_ln_of_the_keys() -> None:
    maps = torch.zeros(8, 8)
    maps[:, 0] = maps[:, 1] = 0.5
    expected = [math.log(2) / math.log(keys) for keys in range(4, 9)]
    torch.testing.assert_close(causal_entropy(maps, 3), torch.tensor(expected))


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), layers=st.integers(1, 3), first=st.integers(1, 5))
def test_the_mean_over_batches_is_that_of_a_plain_loop(sizes: list[int], layers: int, first: int) -> None:
    metric = AttentionEntropy(layers, first)
    values: list[list[float]] = [[] for _ in range(layers)]
    for i, size in enumerate(sizes):
        maps = causal_maps(layers, size, 2, 7, seed=i)
        metric.update(maps)
        for layer in range(layers):
            for row in maps[layer].flatten(0, 1):
                for query in range(first, 7):
                    weights = [w for w in row[query].tolist() if w > 0]
                    values[layer].append(-sum(w * math.log(w) for w in weights) / math.log(query + 1))
    expected = [sum(v) / len(v) for v in values]
    assert metric.compute().reshape(-1).tolist() == pytest.approx(expected, rel=1e-5)


def test_an_entropy_over_one_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="first_query is 0"):
        AttentionEntropy(1, 0)
