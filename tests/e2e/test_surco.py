"""Every experiment of SurCo composes; every one of laptop size runs."""

from __future__ import annotations

import pytest

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher
from tests.e2e.laptop import composes, runs

ALL = {choice.name: choice for choice in choices(CONF, "experiment/surco")}
ONE_GRID = ["data.count=1", "data.size=4"]
ONE_DEVICE = ["data.count=1", "data.design=[8,8]", "task.budget.evaluations=3"]
ONE_TASK = ["data.count=1", "data.pool.count=60"]
BRIEF = {
    "routing_small": ["routing/method=mean_variance,zero", "data=routing/grid", "data.deadline=0.9", *ONE_GRID],
    "routing_correlated_small": ["routing/method=random_costs,hybrid", "data.deadline=1.3", *ONE_GRID],
    "table_routing_scip_small": ["routing/method=let,exact", "data.deadline=0.9", *ONE_GRID],
    "table_routing_ablation_small": ["routing/method=identity,on_probability", *ONE_GRID],
    "table_prediction_small": ["routing/method=rounding", *ONE_GRID],
    "figure_routing_small": ["routing/method=let,zero_tuned", *ONE_GRID],
    "demo": ["data.size=4"],
    "theory_small": ["data.counts=[4,8]", "data.draws=1", "data.asked=50"],
    "gradients_small": [
        "surrogate/rule=relaxed_lp,zero",
        "data.count=1",
        "data.variables=8",
        "task.budget.evaluations=5",
    ],
    "photonics_bend_small": ["photonics/method=zero,pass_through", *ONE_DEVICE],
    "photonics_prior_small": [
        "photonics/method=prior,hybrid",
        *ONE_DEVICE,
        "model.training.trainer.max_epochs=1",
        "model.training.data.train.count=2",
    ],
    "table_photonics_small": ["photonics/method=pass_through,zero", "data=photonics/converter", *ONE_DEVICE],
    "table_photonics_ablation_small": ["photonics/method=zero_8,zero_one_side", *ONE_DEVICE],
    "figure_photonics_small": ["photonics/method=zero,genetic", *ONE_DEVICE],
    "table_prediction_photonics_small": [
        "photonics/method=rounding",
        *ONE_DEVICE,
        "task.measure.evaluations=3",
        "model.training.trainer.max_epochs=1",
        "model.training.data.train.count=2",
        "model.training.task.loss.evaluations=2",
    ],
    "table_prediction_sharding_small": ["sharding/surrogate=softmax_fill", "data.tasks.count=8", *ONE_TASK],
    "figure_sharding_small": [
        "sharding/surrogate=random_costs,zero",
        "queries=4",
        "data.count=1",
        "data.pool.count=160",
    ],
    "sharding_small": ["sharding/surrogate=random_costs,zero", "data=sharding/narrow", "queries=4", *ONE_TASK],
    "table_sharding_small": ["sharding/surrogate=hybrid,zero_relaxed", "data.tasks.count=8", "queries=4", *ONE_TASK],
}
"""What makes an experiment of laptop size brief."""
SHOWN = dict.fromkeys((name for name in BRIEF if "routing" in name), "probability") | {
    "table_prediction_small": "variable_accuracy",
    "table_prediction_sharding_small": "variable_accuracy",
    "table_prediction_photonics_small": "variable_accuracy",
    "theory_small": "optimal",
    "gradients_small": "optimal",
}
"""A metric that it must have, if not the share of instances with an answer."""
NEEDS = {
    "sharding_own": ["data.path=tables.csv"],
    "ilp": ["data.path=program.mps", "cost=cost.py:f"],
    "photonics": ["data.path=device.yaml"],
    "own_graph": ["data.path=edges.csv", "data.source=a", "data.target=b", "data.deadline=1"],
}
"""What an experiment cannot be composed without."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(name: str) -> None:
    assert is_told(ALL[name])
    composes("surco", name, NEEDS.get(name, []))


@pytest.mark.parametrize("name", sorted({name for name in ALL if name.endswith("_small")} | BRIEF.keys()))
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    runs(launch, "surco", name, BRIEF[name], SHOWN.get(name, "feasible"))
