"""Picking checkpoints without labels, on curves whose order is known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.images.label_free_selection import selection, selection_figure

NAN = np.nan
CURVE = {
    "epoch": np.array([0, 1, 2, 3, 4]),
    "linear": np.array([NAN, 30.0, 35.0, 41.0, 40.0]),
    "rank_me_h": np.array([NAN, 5.0, 6.0, 7.0, 6.5]),
    "alpha_req": np.array([NAN, 1.1, 1.2, 0.5, 1.6]),
    "training_loss": np.array([NAN, 4.0, 3.0, 2.0, 1.0]),
    "rank_me_z": np.array([NAN, 3.0, 3.0, 3.0, 3.0]),
}


def test_a_signal_in_the_order_of_the_accuracies_costs_nothing() -> None:
    found = selection(CURVE)
    assert found["judged_checkpoints"] == 4
    assert found["spearman_rank_me_h"] == pytest.approx(1.0) and found["lost_rank_me_h"] == 0


def test_alpha_is_good_near_one_and_a_loss_where_it_is_small() -> None:
    found = selection(CURVE)
    assert found["spearman_alpha_req"] == pytest.approx(-0.8) and found["lost_alpha_req"] == 11.0
    assert found["spearman_training_loss"] == pytest.approx(0.8) and found["lost_training_loss"] == 1.0


def test_a_signal_that_never_changes_orders_nothing() -> None:
    assert "spearman_rank_me_z" not in selection(CURVE)


def test_too_few_judgements_give_no_correlation() -> None:
    assert selection({}) == {}
    assert selection({key: column[:3] for key, column in CURVE.items()}) == {"judged_checkpoints": 2.0}


def test_the_figure_is_a_png() -> None:
    assert selection_figure(CURVE).startswith(b"\x89PNG")
