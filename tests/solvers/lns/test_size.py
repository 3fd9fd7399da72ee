"""The schedule of k."""

import pytest

from runs.errors import ConfigError
from solvers.lns.size import NeighborhoodSize


def test_growth_is_the_papers_product_from_25_on_and_one_below():
    size = NeighborhoodSize(growth=1.02)
    assert [size.grown(k, 10_000) for k in (1, 24, 25, 100, 1000)] == [2, 25, 26, 102, 1020]


def test_paper_rule_stands_still_up_to_24():
    size = NeighborhoodSize(growth=1.02, rule="paper")
    assert [size.grown(k, 10_000) for k in (1, 24, 26, 100)] == [1, 24, 27, 102]


def test_k_stops_at_beta_times_the_integers():
    size = NeighborhoodSize(growth=1.02, largest=0.5)
    assert size.grown(499, 1000) == 500
    assert size.grown(500, 1000) == 500


def test_zero_means_a_share_of_the_integers_and_never_less_than_one():
    assert NeighborhoodSize(0, share=0.2).first(1009) == 201
    assert NeighborhoodSize(0).first(3) == 1
    assert NeighborhoodSize(7).first(1000) == 7


def test_k0_is_cut_at_the_cap():
    assert NeighborhoodSize(300, largest=0.5).first(100) == 50


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ({"initial": -1}, "k_0"),
        ({"growth": 0.99}, "gamma"),
        ({"largest": 0.0}, "beta"),
        ({"largest": 1.01}, "beta"),
        ({"growth": float("nan")}, "gamma"),
        ({"rule": "fast"}, "rule"),
    ],
)
def test_out_of_range_settings_name_the_symbol(setting, names):
    with pytest.raises(ConfigError, match=names):
        NeighborhoodSize(**setting)
