"""The flow of two linear networks: derived from its expectation, its invariant, its fixed points, and its collapses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.pairs.modes import Modes, random_modes
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.linear_twins import FollowedTwins, Rates, TwinFlow, TwinPath
from solvers.dynamics.predictors import DirectPredictor, DirectSet, NoPredictor, Predictor, TrainedPredictor

INTEGRATOR = FlowIntegrator(rtol=1e-9, atol=1e-100)
START = random_modes("start", np.random.default_rng(0), 6, [0.0, 1.2], [0.05, 1.5])
RATES = Rates(alpha=2.0, target_ratio=0.9, variance=0.2, decay=0.05)


def follow(
    predictor: Predictor, stop_gradient: bool = True, end: float = 60.0, modes: Modes = START, rates: Rates = RATES
) -> TwinPath:
    return FollowedTwins(predictor, stop_gradient, INTEGRATOR).follow(modes, rates, np.linspace(0, end, 61))


def expected_loss(w: float, target: float, p: float, rates: Rates) -> float:
    """E 1/2 (p w x - tau w' x')^2 of one mode, over u ~ N(0, 1) and noise of variance sigma^2 in x and x'."""
    noisy, tau = 1 + rates.variance, rates.target_ratio
    return 0.5 * (p**2 * w**2 * noisy - 2 * p * w * tau * target + tau**2 * target**2 * noisy)


@pytest.mark.parametrize("stop_gradient", [True, False])
@given(w=st.floats(0.1, 2.0), p=st.floats(-0.5, 1.5))
@settings(max_examples=30)
def test_the_velocity_is_that_of_gradient_descent_on_the_expected_loss(stop_gradient: bool, w: float, p: float) -> None:
    step = 1e-5

    def loss(moved_w: float, moved_p: float) -> float:
        return expected_loss(moved_w, w if stop_gradient else moved_w, moved_p, RATES)

    dw = -(loss(w + step, p) - loss(w - step, p)) / (2 * step) - RATES.decay * w
    dp = -RATES.alpha * (loss(w, p + step) - loss(w, p - step)) / (2 * step) - RATES.decay * p
    flow = TwinFlow(Modes("", np.array([p]), np.array([w**2])), RATES, TrainedPredictor(), stop_gradient)
    np.testing.assert_allclose(flow.velocity(0.0, flow.initial)[:2], [dp, 2 * w * dw], rtol=1e-5, atol=1e-7)


def test_s_less_p_squared_over_alpha_decays_with_twice_the_weight_decay() -> None:
    path = follow(TrainedPredictor())
    gap = path.correlation - path.predictor**2 / RATES.alpha
    np.testing.assert_allclose(gap, gap[0] * np.exp(-2 * RATES.decay * path.times)[:, None], rtol=1e-6, atol=1e-9)


def test_modes_settle_at_the_stable_fixed_point() -> None:
    path = follow(TrainedPredictor(), end=200.0)
    assert RATES.fixed_points is not None
    low, p = RATES.fixed_points
    assert 0 < low < p
    np.testing.assert_allclose(path.predictor[-1], p, rtol=1e-6)
    np.testing.assert_allclose(path.correlation[-1], p**2 / RATES.alpha, rtol=1e-6)


@pytest.mark.parametrize("which", [0, 1])
def test_nothing_moves_at_a_fixed_point(which: int) -> None:
    assert RATES.fixed_points is not None
    p = np.array([RATES.fixed_points[which]])
    flow = TwinFlow(Modes("", p, p**2 / RATES.alpha), RATES, TrainedPredictor(), True)
    np.testing.assert_allclose(flow.velocity(0.0, flow.initial), 0, atol=1e-15)


def test_the_saddle_divides_growth_from_collapse() -> None:
    assert RATES.fixed_points is not None
    p = RATES.fixed_points[0] * np.array([0.9, 1.1])
    path = follow(TrainedPredictor(), end=800.0, modes=Modes("", p, p**2 / RATES.alpha))
    assert path.correlation[-1, 0] < 1e-6
    assert path.correlation[-1, 1] > 0.1


@pytest.mark.parametrize(("share", "survives"), [(0.9, True), (1.1, False)])
def test_more_weight_decay_than_the_critical_collapses_every_start(share: float, survives: bool) -> None:
    rates = Rates(decay=share * Rates().critical_decay)
    assert (rates.fixed_points is not None) == survives
    assert (follow(TrainedPredictor(), end=400.0, rates=rates).correlation[-1] > 1e-3).any() == survives


def test_without_a_predictor_s_decays_at_a_known_rate() -> None:
    path = follow(NoPredictor())
    rate = 2 * (RATES.target_ratio - 1 - RATES.variance - RATES.decay)
    np.testing.assert_allclose(path.correlation, START.correlation * np.exp(rate * path.times)[:, None], rtol=1e-6)


def test_without_stop_gradient_s_decays_at_least_with_the_weights() -> None:
    path = follow(TrainedPredictor(), stop_gradient=False)
    bound = START.correlation * np.exp(-2 * RATES.decay * path.times)[:, None]
    assert (path.correlation <= bound * (1 + 1e-6)).all()
    assert 0 < path.correlation[-1].min() <= path.correlation[-1].max() < 1e-3


@pytest.mark.parametrize("predictor", [DirectPredictor(), DirectPredictor(epsilon=0.0), DirectSet(), DirectSet(0.5)])
def test_a_predictor_set_from_the_spectrum_evens_it_out(predictor: Predictor) -> None:
    path = follow(predictor, end=60.0, rates=Rates())
    ratio = path.correlation.min(1) / path.correlation.max(1)
    assert ratio[0] < 0.3
    assert ratio[-1] > 0.95


def test_the_rules_of_set_predictors_are_those_of_the_page() -> None:
    s, own = np.array([0.0, 0.01, 0.25, 1.0]) * 3.7, np.ones(4)
    np.testing.assert_allclose(DirectPredictor(0.01).eigenvalues(own, s), [0.01, 0.11, 0.51, 1.01])
    np.testing.assert_allclose(DirectPredictor(0.0, 1e-4).eigenvalues(own, s)[0], 1e-4)
    np.testing.assert_allclose(DirectSet(1.0, 0.01).eigenvalues(own, s), [0.01, 0.02, 0.26, 1.01])
    np.testing.assert_allclose(DirectPredictor().eigenvalues(own, 5 * s), DirectPredictor().eigenvalues(own, s))


def test_a_long_memory_makes_the_predictor_lag() -> None:
    lagging, prompt = (
        follow(DirectPredictor(), end=1.0, rates=Rates(forgetting=forgetting)).predictor[-1]
        for forgetting in (1e-3, 1e3)
    )
    start = DirectPredictor().eigenvalues(START.predictor, START.correlation)
    assert np.abs(lagging - start).max() < 0.01 < np.abs(prompt - start).max()


def test_a_budget_that_ends_early_is_a_failure() -> None:
    solver = FollowedTwins(TrainedPredictor(), True, INTEGRATOR)
    with pytest.raises(SolverFailure, match=r"raise task\.budget"):
        solver.follow(START, RATES, np.array([0.0, 50.0]), Budget(evaluations=20))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rates(alpha=0.0), "alpha is 0"),
        (lambda: Rates(forgetting=-1.0), "forgetting -1"),
        (lambda: Rates(target_ratio=1.5), "target_ratio 1.5"),
        (lambda: Rates(variance=-1.0), "variance -1"),
        (lambda: DirectPredictor(epsilon=-1.0), "epsilon is -1"),
        (lambda: DirectSet(power=0.0), "power is 0"),
        (lambda: random_modes("", np.random.default_rng(), 0, [0, 1], [0.1, 1]), "dimension is 0"),
        (lambda: random_modes("", np.random.default_rng(), 3, [0, 1], [0.0, 1]), "correlation is"),
        (lambda: random_modes("", np.random.default_rng(), 3, [1, 0], [0.1, 1]), "predictor is"),
    ],
)
def test_settings_that_make_no_flow_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
