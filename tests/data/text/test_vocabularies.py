"""Grids of co-occurrence tables."""

from __future__ import annotations

import pytest

from data.text.vocabularies import Vocabularies
from runs.errors import ConfigError


def test_every_combination_is_an_instance_and_the_last_setting_varies_fastest() -> None:
    data = Vocabularies({"num_last": [2, 3], "num_common": [0, 1, 10]})
    data.setup()
    items = [data.test_problems[i] for i in range(len(data.test_problems))]
    assert [index for index, _ in items] == list(range(6))
    sizes = [(vocabulary.distribution.num_last, vocabulary.distribution.num_common) for _, vocabulary in items]
    assert sizes == [(2, 0), (2, 1), (2, 10), (3, 0), (3, 1), (3, 10)]
    assert len({vocabulary.name for _, vocabulary in items}) == 6
    assert all(vocabulary.distribution.num_unique_per_next == 10 for _, vocabulary in items)


def test_an_empty_grid_is_the_default_vocabulary() -> None:
    assert [vocabulary.name for vocabulary in Vocabularies({}).vocabularies] == ["default"]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"num_lost": [1]}, r"data.grid.num_lost is not a setting; choose from num_last"),
        ({"num_last": []}, r"data.grid.num_last is \[\]; give a list"),
        ({"num_last": 3}, r"data.grid.num_last is 3; give a list"),
        ({"num_unique_per_next": [5, 0]}, "num_unique_per_next"),
    ],
)
def test_what_makes_no_vocabulary_is_named(grid: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Vocabularies(grid)
