"""The co-occurrence generator: its tables are exact, its samples follow them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError

SHAPES = st.builds(
    CoOccurrence,
    num_last=st.integers(1, 4),
    num_next_per_last=st.integers(1, 3),
    num_common=st.integers(0, 4),
    num_common_per_last=st.integers(0, 3),
    num_unique_per_next=st.integers(1, 5),
    common_weight=st.floats(0.1, 3.0),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(SHAPES)
@settings(max_examples=50)
def test_ids_partition_the_vocabulary_in_the_page_s_order(world: CoOccurrence) -> None:
    ids = torch.cat(
        [
            world.common,
            world.common_per_query.flatten(),
            world.distinct.flatten(),
            world.last_token.unique(),
            world.next_token,
        ]
    )
    assert torch.equal(ids, torch.arange(world.vocabulary_size))


@given(SHAPES)
@settings(max_examples=50)
def test_rows_are_distributions_over_what_belongs_to_the_class(world: CoOccurrence) -> None:
    table = world.probabilities
    assert torch.allclose(table.sum(1), torch.ones(world.classes, dtype=torch.float64), atol=1e-14)
    for n in range(world.classes):
        own = torch.cat([world.common, world.common_per_query[world.query[n]], world.distinct[n]])
        assert torch.equal(table[n].nonzero().flatten(), own.sort().values)
        assert torch.equal(own, world.own[n])


def test_the_ladder_of_the_defaults_has_the_published_weights_and_entropy() -> None:
    world = CoOccurrence()
    distinct = world.probabilities[0, world.distinct[0]]
    common = world.probabilities[0, world.common]
    assert torch.allclose(distinct / common[0], torch.linspace(0.1, 1, 10, dtype=torch.float64))
    share = distinct / distinct.sum()
    assert float(torch.special.entr(share).sum()) == pytest.approx(2.15, abs=0.01)


def test_figure_6_s_largest_vocabulary_has_240_tokens() -> None:
    assert CoOccurrence(num_last=10).vocabulary_size == 240


def test_samples_follow_the_table() -> None:
    world = CoOccurrence(num_common_per_last=2)
    classes, tokens = world.sample(400, 101, seeded())
    assert tokens.shape == (400, 100)
    assert chisquare(np.bincount(classes, minlength=4)).pvalue > 1e-3
    for n in range(world.classes):
        seen = np.bincount(tokens[classes == n].flatten(), minlength=world.vocabulary_size)
        expected = world.probabilities[n].numpy()
        assert not seen[expected == 0].any()
        possible = expected > 0
        assert chisquare(seen[possible], seen.sum() * expected[possible]).pvalue > 1e-3


def test_equal_generators_draw_equal_batches_and_others_do_not() -> None:
    world = CoOccurrence()
    (classes, tokens), (same_classes, same), (_, other) = (world.sample(8, 16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(classes, same_classes)
    assert torch.equal(tokens, same)
    assert not torch.equal(tokens, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_last", 0),
        ("num_next_per_last", 0),
        ("num_common", -1),
        ("num_common_per_last", -1),
        ("num_unique_per_next", 0),
        ("common_weight", 0.0),
        ("common_weight", float("inf")),
    ],
)
def test_a_setting_that_makes_no_sequences_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        CoOccurrence(**{field: value})


def test_a_sequence_without_context_is_refused() -> None:
    with pytest.raises(ConfigError, match="length"):
        CoOccurrence().sample(4, 1, seeded())
    with pytest.raises(ConfigError, match="batch size"):
        CoOccurrence().sample(0, 4, seeded())
