"""The task that checks the theory: what it refuses before any work."""

from __future__ import annotations

from typing import Any

import pytest

from runs.errors import ConfigError
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.one_layer_path import FollowedDynamics
from solvers.dynamics.one_layer_transformer import GradientFlow
from tasks.text.theory import TheoryOfTraining

SETTINGS: dict[str, Any] = {
    "solver": FollowedDynamics(GradientFlow, FlowIntegrator()),
    "budget": {"seconds": 60},
    "seed": 0,
    "eta_y": 1.0,
    "eta_z": 1.0,
    "horizon": 100,
    "sweep": [1.0, 10.0],
    "learning_rates": {},
    "sgd": {},
}


def test_it_has_nothing_to_fit() -> None:
    assert not list(TheoryOfTraining(**SETTINGS).parameters())


def test_sgd_may_be_left_out() -> None:
    assert TheoryOfTraining(**{**SETTINGS, "sgd": None}).sgd is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 1}, "task.horizon is 1"),
        ({"sweep": []}, r"task.sweep is \[\]"),
        ({"sweep": [2.0, 1.0]}, "in increasing order"),
        ({"eta_y": 0.0}, "task.eta_y is 0"),
        ({"eta_z": -1.0}, "task.eta_z is -1"),
        ({"points": 3}, "task.points is 3"),
        ({"budget": {}}, "budget"),
        ({"sgd": {"length": 1}}, "task.sgd.length is 1"),
        ({"learning_rates": {"ratios": [1.0]}}, "task.learning_rates.ratios"),
    ],
)
def test_settings_that_make_no_check_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TheoryOfTraining(**{**SETTINGS, **settings})
