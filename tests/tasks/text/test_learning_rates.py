"""Learning-rate control of the entropy that is left."""

from __future__ import annotations

import numpy as np
import pytest

from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.one_layer_path import FollowedDynamics, distinct_entropy
from solvers.dynamics.one_layer_transformer import GradientFlow, SelfAttentionDynamics
from tasks.text.learning_rates import LearningRates, control, entropies

DATA = CoOccurrence(num_last=2, num_next_per_last=2)


def test_the_entropy_of_the_untrained_ladder_is_that_of_its_weights() -> None:
    dynamics = GradientFlow(DATA, 1.0, 1.0)
    ladder = np.linspace(0.1, 1, 10)
    share = ladder / ladder.sum()
    assert distinct_entropy(dynamics, dynamics.observe(dynamics.initial).c) == pytest.approx(-share @ np.log(share))


def test_control_reads_signs_off_the_grid() -> None:
    rates = LearningRates(eta_z=[1.0, 2.0], ratios=[1.0, 2.0, 5.0, 10.0])
    entropy = np.array([[9.0, 2.0, 2.1, 2.4], [9.0, 1.5, 1.4, 2.0]])
    found = control(rates, entropy)
    assert found["entropy_of_ratio"] == pytest.approx((0.4 + 0.5) / 2)
    assert found["entropy_of_ratio_least"] == pytest.approx(-0.1)
    assert found["entropy_of_rate"] == pytest.approx((0 - 0.5 - 0.7 - 0.4) / 4)
    assert found["entropy_of_rate_greatest"] == pytest.approx(0)


def test_the_reduced_dynamics_obey_the_learning_rates_as_the_paper_has_it() -> None:
    rates = LearningRates(eta_z=[0.5, 2.0], ratios=[2.0, 10.0])
    solver = FollowedDynamics(SelfAttentionDynamics, FlowIntegrator(rtol=1e-6, atol=1e-9))
    found = control(rates, entropies(solver, DATA, rates, Budget(seconds=60)))
    assert found["entropy_of_ratio_least"] > 0.05
    assert found["entropy_of_rate_greatest"] < -0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eta_z": [1.0]}, "learning_rates.eta_z"),
        ({"eta_z": [2.0, 1.0]}, "learning_rates.eta_z"),
        ({"ratios": [0.0, 2.0, 5.0]}, "learning_rates.ratios"),
        ({"ratios": [0.5, 1.0, 2.0]}, "at least two from 2 on"),
        ({"time": 0.0}, "learning_rates.time"),
    ],
)
def test_grids_that_show_nothing_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LearningRates(**settings)
