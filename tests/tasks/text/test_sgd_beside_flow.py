"""SGD follows the flow within 2 %, and does not once the model is not the theory's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from data.text.synthetic import CoOccurrence
from models.text.one_layer import OneLayerTransformer
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.one_layer_path import FollowedDynamics
from solvers.dynamics.one_layer_transformer import GradientFlow, SelfAttentionDynamics
from tasks.text.sgd_beside_flow import SGD, compare, train

DATA = CoOccurrence(num_last=2, num_next_per_last=1, num_common=4, num_unique_per_next=4)
BRIEF = {"eta_y": 0.2, "eta_z": 0.2, "steps": 150, "every": 30, "length": 8192, "batch": 128, "replicas": 4}


def metrics(kind: type = GradientFlow, **changes: Any) -> dict[str, float]:
    solver = FollowedDynamics(kind, FlowIntegrator(rtol=1e-8, atol=1e-11))
    sgd = SGD(**{**BRIEF, **changes})
    return compare(solver, DATA, sgd, Budget(seconds=60), np.random.default_rng(0)).metrics()


def test_the_mean_of_sgd_stays_within_two_percent_of_the_flow() -> None:
    found = metrics()
    assert found["sgd_error_Y"] < 0.02
    assert found["sgd_error_Z"] < 0.02


def test_sgd_with_momentum_follows_the_flow_at_its_effective_rate() -> None:
    found = metrics(eta_y=0.05, eta_z=0.05, momentum=0.5, steps=300)
    assert found["sgd_error_Y"] < 0.02
    assert found["sgd_error_Z"] < 0.02


def test_momentum_costs_a_lag_of_mu_over_one_minus_mu_steps() -> None:
    """At 0.9 the first nine steps are lost, which a path of 60 steps still shows."""
    assert metrics(eta_y=0.05, eta_z=0.05, momentum=0.9, steps=60)["sgd_error_Y"] > 0.05


@pytest.mark.parametrize(
    "broken", [{"normalization": "none"}, {"length": 32}, {"eta_y": 20.0, "eta_z": 20.0, "steps": 30}]
)
def test_without_the_norm_on_short_sequences_and_with_big_steps_sgd_leaves_the_flow(broken: dict[str, Any]) -> None:
    assert metrics(**broken)["sgd_error_Z"] > 0.05


def test_sgd_does_not_follow_the_reduced_dynamics() -> None:
    assert metrics(SelfAttentionDynamics, steps=300)["sgd_error_Z"] > 0.05


def descend(length: int, steps: int = 200, rate: float = 0.1, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Y and Z, context tokens only, after gradient descent on expected counts: no sampling, so the model alone differs."""
    context = DATA.context_size
    model = OneLayerTransformer(DATA.vocabulary_size, context, DATA.num_last, [0], init="zeros", **options).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    counts = (length - 1) * DATA.probabilities[None, :, :context]
    for _ in range(steps):
        loss = model.loss(DATA.query[None], counts, DATA.next_token[None]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    Z, Y = (parameters.detach().numpy() for parameters in model.weights())
    return Y[0, :context], Z[0, 0, :, :context]


def distance_from_the_flow(**options: Any) -> float:
    solver = FollowedDynamics(GradientFlow, FlowIntegrator())
    path = solver.follow(DATA, 0.1, 0.1, [0.0, 200.0])
    _, Z = path.dynamics.parameters(path.states[-1])
    return float(np.linalg.norm(descend(**options)[1] - Z) / np.linalg.norm(Z))


def test_gradient_descent_on_expected_counts_is_the_flow_up_to_its_step_whatever_the_length() -> None:
    assert distance_from_the_flow(length=16) < 0.01
    assert distance_from_the_flow(length=4096) == pytest.approx(distance_from_the_flow(length=16), rel=1e-6)


@pytest.mark.parametrize("broken", [{"normalization": "torch"}, {"attend_query": True}])
def test_with_the_layer_norm_of_torch_or_the_query_attended_to_it_is_not_the_flow(broken: dict[str, Any]) -> None:
    assert distance_from_the_flow(length=16, **broken) > 0.05


def test_attending_to_the_query_matters_less_the_longer_the_sequence() -> None:
    near, far = (distance_from_the_flow(length=length, attend_query=True) for length in (16, 4096))
    assert far < 0.01 < 0.05 < near


def test_replicas_are_independent_and_the_same_seed_gives_the_same_run() -> None:
    sgd = SGD(**{**BRIEF, "steps": 4, "every": 4, "length": 64})
    first, again, other = (train(DATA, sgd, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.allclose(first[1], other[1])
    assert first[0].shape == (2, 4, DATA.context_size, DATA.vocabulary_size)
    assert np.all(np.ptp(first[0][-1], axis=0).max() > 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 1}, "task.sgd.length is 1"),
        ({"replicas": 1}, "task.sgd.replicas is 1"),
        ({"momentum": 1.0}, "momentum"),
        ({"eta_z": -1.0}, "eta_z must be positive"),
    ],
)
def test_settings_that_compare_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SGD(**settings)
