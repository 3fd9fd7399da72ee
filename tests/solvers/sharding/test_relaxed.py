"""Costs of shares: those of the plan at its corner, and their gradient in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.oracles.analytical import OuterLinks, gpu11, nvlink
from data.sharding.oracles.noisy import Noisy
from models.sharding.dream_shard import PlanCosts
from runs.errors import ConfigError
from solvers.differentiable.relaxed import Relaxed
from solvers.sharding.relaxed import RelaxedPlans, share_costs
from tests.solvers.sharding.test_predicted import costs as networks
from tests.solvers.sharding.tiny import tiny

MODELS = {
    "gpu11": gpu11(),
    "nvlink": nvlink(),
    "hosts": gpu11(outer=[OuterLinks(2, 0.1, 3e6)]),
    "no skew": gpu11(skew=False),
    "networks": networks(0),
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_corner_costs_what_its_plan_costs(name: str) -> None:
    model: AdditiveOracle = MODELS[name]
    problem = replace(tiny(0, tables=7, devices=4, slack=10.0), oracle=model)
    view = RelaxedPlans(problem, share_costs(problem, model))
    assert isinstance(view, Relaxed)
    devices = np.random.default_rng(0).integers(4, size=(6, 7))
    devices[0] = 2  # the others hold nothing
    x = np.eye(4)[devices].reshape(6, -1)
    values = view.query(x).values
    assert values == pytest.approx([problem.objective(view.assignment(each)) for each in x], rel=1e-9)
    assert np.concatenate([view.query(each[None]).values for each in x]) == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    problem = replace(tiny(0, tables=5, devices=4, slack=10.0), oracle=MODELS[name])
    view = RelaxedPlans(problem, share_costs(problem, MODELS[name]))
    rng = np.random.default_rng(1)
    x = rng.dirichlet(np.ones(4), size=(1, 5)).reshape(1, -1)
    steps = 1e-5 * np.eye(view.variables)
    numeric = (view.query(x + steps).values - view.query(x - steps).values) / 2e-5
    assert view.query(x).gradients[0] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_dream_shards_network_sees_shares_of_its_encodings() -> None:
    problem = tiny(0, tables=5, devices=3, slack=10.0)
    torch.manual_seed(0)
    network = PlanCosts()
    view = RelaxedPlans(problem, share_costs(problem, network))
    x = np.eye(3)[[0, 1, 2, 0, 0]].reshape(1, -1)
    encoded = view.costs.encoded  # type: ignore[attr-defined]
    sums = torch.stack([encoded[[0, 3, 4]].sum(0), encoded[1], encoded[2]])
    assert view.query(x).values[0] == pytest.approx(float(view.costs.network.plan(sums)))  # type: ignore[attr-defined]
    steps = 1e-6 * np.eye(15)
    x = np.random.default_rng(0).dirichlet(np.ones(3), size=(1, 5)).reshape(1, -1)
    numeric = (view.query(x + steps).values - view.query(x - steps).values) / 2e-6
    assert view.query(x).gradients[0] == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_what_has_no_gradient_is_refused_by_its_name() -> None:
    problem = tiny(0, tables=3, slack=1.0)
    with pytest.raises(ConfigError, match="a Noisy has no gradient to steer by; choose a device of formulas"):
        share_costs(problem, Noisy(gpu11(), 0.1))
