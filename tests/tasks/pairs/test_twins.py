"""SGD of the linear twins follows the flow, and does not where the flow's assumptions fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from data.pairs.modes import random_modes
from models.pairs.linear_twins import LinearTwins
from models.ssl.parts.direct_predictor import DirectPredictor as RecipePredictor
from runs.errors import ConfigError
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.linear_twins import FollowedTwins, Rates, effective_rank
from solvers.dynamics.predictors import DirectPredictor, DirectSet, NoPredictor, Predictor, TrainedPredictor
from tasks.pairs.twins import LinearTwinsTheory, invariant_error
from tasks.pairs.twins_sgd import SGD, compare, set_predictor

INTEGRATOR = FlowIntegrator(rtol=1e-8, atol=1e-14)
MODES = random_modes("start", np.random.default_rng(0), 4, [0.0, 1.2], [0.05, 1.5])
UNEVEN = random_modes("start", np.random.default_rng(0), 4, [0.0, 0.1], [0.01, 1.0])
BRIEF: dict[str, Any] = {"learning_rate": 0.03, "steps": 200, "every": 20, "batch": 256, "replicas": 4}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def metrics(
    predictor: Predictor, stop_gradient: bool = True, rates: Rates | None = None, **sgd: Any
) -> dict[str, float]:
    solver = FollowedTwins(predictor, stop_gradient, INTEGRATOR)
    modes = UNEVEN if predictor.follows_correlation else MODES
    return compare(
        solver, modes, rates or Rates(alpha=2.0), SGD(**{**BRIEF, **sgd}), np.random.default_rng(0)
    ).metrics()


@pytest.mark.parametrize(
    ("predictor", "stop_gradient"),
    [
        (TrainedPredictor(), True),
        (TrainedPredictor(), False),
        (NoPredictor(), True),
        (DirectPredictor(), True),
        (DirectSet(), True),
    ],
)
def test_the_mean_of_sgd_stays_within_three_percent_of_the_flow(predictor: Predictor, stop_gradient: bool) -> None:
    found = metrics(predictor, stop_gradient)
    assert found["sgd_error_p"] < 0.03
    assert found["sgd_error_s"] < 0.03


def test_a_predictor_set_from_single_batches_leaves_the_flow() -> None:
    """With rho = .3 and 32 examples the average of F is mostly sampling noise, which the flow lacks."""
    assert metrics(DirectPredictor(), rates=Rates(forgetting=0.7 / 0.03), batch=16)["sgd_error_s"] > 0.06


def test_big_steps_leave_the_flow() -> None:
    assert metrics(TrainedPredictor(), learning_rate=0.4, steps=40, every=4)["sgd_error_s"] > 0.05


def test_a_set_predictor_shares_the_eigenvectors_of_the_correlation() -> None:
    basis = torch.linalg.qr(torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    s = torch.tensor([0.04, 0.25, 1.0], dtype=torch.float64)
    F = (basis * s) @ basis.mT
    expected = (basis * torch.tensor([0.21, 0.51, 1.01], dtype=torch.float64)) @ basis.mT
    torch.testing.assert_close(set_predictor(DirectPredictor(), F), expected)


@pytest.mark.parametrize(
    ("rule", "recipe"),
    [
        (DirectPredictor(0.05), {"rule": "pred", "epsilon": 0.05}),
        (DirectSet(1.5, 0.02), {"rule": "set", "power": 1.5, "epsilon": 0.02}),
    ],
)
def test_the_theory_sets_the_predictor_of_the_recipe(rule: Predictor, recipe: dict[str, Any]) -> None:
    z = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theirs = RecipePredictor(4, memory=0.0, **recipe).double()
    theirs.update(z)
    torch.testing.assert_close(set_predictor(rule, (z.T @ z / 50)[None])[0], theirs.weight)


def test_the_loss_is_the_squared_error_of_the_prediction() -> None:
    generator = torch.Generator().manual_seed(0)
    W, P, x, y = (torch.randn(2, 3, 3, generator=generator) for _ in range(4))
    loss = LinearTwins(W, P, target_ratio=0.5).loss(x, y)
    by_hand = sum(
        0.5 * ((P[r] @ W[r] @ x[r, i] - 0.5 * W[r] @ y[r, i]) ** 2).sum() / 3 for r in range(2) for i in range(3)
    )
    torch.testing.assert_close(loss, by_hand)


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_a_stop_gradient_is_one(stop_gradient: bool) -> None:
    eye = torch.eye(2)[None]
    twins = LinearTwins(eye, 0 * eye, stop_gradient=stop_gradient, trains_predictor=False)
    twins.loss(torch.ones(1, 4, 2), torch.ones(1, 4, 2)).backward()
    assert twins.encoder.grad is not None
    assert bool(twins.encoder.grad.any()) != stop_gradient


def test_the_effective_rank_counts_equal_modes() -> None:
    np.testing.assert_allclose(effective_rank(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])), [3.0, 1.0])


def test_the_invariant_error_sees_another_decay() -> None:
    path = FollowedTwins(TrainedPredictor(), True, INTEGRATOR).follow(MODES, Rates(), np.linspace(0, 20, 21))
    assert invariant_error(path, Rates()) < 1e-6
    assert invariant_error(path, Rates(decay=0.05)) > 0.1


SETTINGS: dict[str, Any] = {
    "solver": FollowedTwins(TrainedPredictor(), True, INTEGRATOR),
    "budget": {"seconds": 60},
    "seed": 0,
    "rates": {},
    "horizon": 10.0,
    "sgd": {},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0.0}, "task.horizon is 0"),
        ({"points": 3}, "task.points 3"),
        ({"sgd": {"replicas": 1}}, "task.sgd.replicas is 1"),
        ({"sgd": {"learning_rate": 0.0}}, "task.sgd.learning_rate is 0"),
        ({"rates": {"alpha": -1.0}}, "alpha is -1"),
        ({"short_memory": 0.0}, "forgetting 0"),
        ({"budget": {}}, "budget"),
    ],
)
def test_settings_that_make_no_check_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LinearTwinsTheory(**{**SETTINGS, **changes})


def test_a_memory_shorter_than_a_step_is_named() -> None:
    with pytest.raises(ConfigError, match=r"allows at most 33\.3"):
        metrics(DirectPredictor(), rates=Rates(forgetting=40.0))
