"""Signals within recipes and across them, on curves whose order is known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.images.checkpoint_ranking import levels, ranking_figure

NAN = np.nan
CURVES = {
    "one": {
        "linear": np.array([NAN, 30.0, 31.0, 32.0]),
        "rank_me_h": np.array([NAN, 50.0, 51.0, 52.0]),
        "rank_me_z": np.array([NAN, 1.0, 2.0, 3.0]),
    },
    "other": {
        "linear": np.array([NAN, 40.0, 41.0, 42.0]),
        "rank_me_h": np.array([NAN, 10.0, 11.0, 12.0]),
    },
}


def test_an_order_within_recipes_may_be_wrong_across_them() -> None:
    found = levels(CURVES)
    assert found["recipes"] == 2 and found["judged_checkpoints"] == 6
    assert found["spearman_rank_me_h_within"] == pytest.approx(1.0)
    assert found["spearman_rank_me_h_across"] == pytest.approx(-0.542857142857)  # ranks 1 2 3 4 5 6 against 4 5 6 1 2 3
    assert found["gain_rank_me_h_within"] == pytest.approx(1.542857142857)
    assert found["lost_rank_me_h_within"] == 0 and found["lost_rank_me_h_across"] == 10


def test_a_signal_that_a_recipe_lacks_is_left_out() -> None:
    assert not any("rank_me_z" in key for key in levels(CURVES))


def test_the_figure_is_a_png() -> None:
    assert ranking_figure(CURVES).startswith(b"\x89PNG")
