"""Samples of costs: what is stored is what the oracle says of the shard, and which tables and dimensions occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.sharding.cost_samples import CommunicationCosts, ShardCosts
from data.sharding.features import names_of
from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Pieces
from data.sharding.samples import DIMS
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError


def shards(pool: EmbeddingTables, **settings: Any) -> ShardCosts:
    return ShardCosts(lambda: pool, gpu11(), per_shard=60, **settings)


def test_a_sample_is_priced_as_the_pieces_that_its_places_name(pool: EmbeddingTables) -> None:
    source = shards(pool)
    samples = source.shard(3)
    for places, cost in zip(samples.inputs["pieces"], samples.targets, strict=True):
        held = places[places >= 0]
        pieces = Pieces(held // len(DIMS), DIMS[held % len(DIMS)], np.zeros(len(held), np.int64))
        assert gpu11().compute(pool, pieces, 1, 1)[0] == pytest.approx(cost)
    assert (source.strata(samples) == (samples.inputs["pieces"] >= 0).sum(1)).all()
    again = shards(pool).shard(3)
    assert (again.inputs["pieces"] == samples.inputs["pieces"]).all()
    assert not np.array_equal(source.shard(4).targets, samples.targets)


def test_features_of_all_pieces_stand_in_the_order_of_the_places(pool: EmbeddingTables) -> None:
    features = shards(pool, features="load").shared()["features"]
    assert features.shape == (len(pool) * 6, 4)
    place = 5 * len(DIMS) + 3
    assert features[place].tolist() == [1, 32, pool.pooling_factor[5], 32 * pool.pooling_factor[5]]
    alone = shards(pool, features="single").shared()["features"]
    one = Pieces(np.array([5]), np.array([32]), np.array([0]))
    assert alone[place, 0] == pytest.approx(gpu11().compute(pool, one, 1, 1)[0])
    assert len(names_of("load")) == 4


def test_seen_and_held_tables_are_all_tables_and_share_none(pool: EmbeddingTables) -> None:
    seen, held = shards(pool, part="seen", held_share=0.25), shards(pool, part="held", held_share=0.25)
    assert sorted([*seen.drawn, *held.drawn]) == list(range(len(pool)))
    assert len(held.drawn) == round(0.25 * len(pool))
    places = held.shard(0).inputs["pieces"]
    assert set((places[places >= 0] // len(DIMS)).tolist()) <= set(held.drawn.tolist())


def test_without_augmentation_a_table_has_one_dimension(pool: EmbeddingTables) -> None:
    places = np.concatenate([shards(pool, any_dim=False).shard(k).inputs["pieces"].ravel() for k in range(4)])
    places = np.unique(places[places >= 0])
    assert len(places) == len(np.unique(places // len(DIMS)))


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_communications_are_priced_by_the_device(pool: EmbeddingTables, direction: str) -> None:
    source = CommunicationCosts(lambda: pool, gpu11(), 4, direction, per_shard=50)
    samples = source.shard(0)
    inputs = dict(samples.inputs)
    sums = inputs.pop("dim_sums")
    call = getattr(gpu11(), f"{direction}_communication")
    np.testing.assert_array_equal(samples.targets, call(pool, sums, **inputs))
    assert (direction == "forward") == ("start" in inputs)
    assert (source.strata(samples) >= 1).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"part": "some"}, "part is 'some'; choose all, seen, held"),
        ({"held_share": 1.0}, "held_share is 1"),
        ({"most": 0}, "most is 0"),
        ({"memory_gib": 0}, "memory_gib is 0"),
    ],
)
def test_settings_out_of_range_are_refused(pool: EmbeddingTables, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shards(pool, **settings)
    with pytest.raises(ConfigError, match="direction is 'up'"):
        CommunicationCosts(lambda: pool, gpu11(), 4, "up")
