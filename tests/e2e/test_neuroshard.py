"""Every experiment of NeuroShard composes; every one of laptop size runs."""

from __future__ import annotations

import json

import pytest

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher
from tests.e2e.laptop import composes, runs

ALL = {choice.name: choice for choice in choices(CONF, "experiment/neuroshard")}
ONE_TASK = ["data.count=1", "data.pool.count=60"]
OF_SAMPLES = [
    f"data.{each}.{setting}"
    for each in ("samples", "test")
    for setting in ("count=300", "source.per_shard=300", "source.pool.count=60")
]
BRIEFLY_TRAINED = ["data.batch_size=64", "trainer.max_epochs=1", *OF_SAMPLES]
MEASURED = [
    "data.count=1", "data.devices=2", "data.pool={count:6,batch:32}", "data.tasks={fewest:6,most:6}",
    "data.device.timing={repeats:2,steady:100}", "data.device.communication.repeats=1", "task.plans=3",
    *(f"model.{part}.{setting}" for part in ("compute", "backward", "forward") for setting in (
        "trainer.max_epochs=1", "data.batch_size=8", "data.samples.count=24", "data.samples.source.per_shard=24")),
]  # fmt: skip
"""What experiments on this machine's own costs are brief with."""
TINY = ["learning.compute.epochs=1", "learning.communication={samples:800,epochs:1}"]
TINY += [f"model.{part}.data.samples.source.per_shard=800" for part in ("compute", "backward", "forward")]
BRIEF = {
    "measure": MEASURED,
    "pretrain_measured_small": [
        "sharding/costs=log,affine_load", "trainer.max_epochs=1", "data.batch_size=8", "data.samples.count=24",
        "data.samples.source.per_shard=24", "data.samples.source.pool={count:6,batch:32}",
        "data.samples.source.device.timing={repeats:2,steady:100}",
    ],
    "real_cpu_small": [*MEASURED, "task.steps=2", "task.warmup=0"],
    "pretrain_compute_small": ["sharding/costs=log,affine_single", "~data.others", *BRIEFLY_TRAINED],
    "pretrain_comm_small": ["sharding/direction=forward", "sharding/communication=ordered", *BRIEFLY_TRAINED],
    "figure_samples_small": ["~data.others", *BRIEFLY_TRAINED],
    "table_main_small": ["sharding/method=dim,on_oracle", *ONE_TASK],
    "table_fast_links_small": ["sharding/method=on_oracle", *ONE_TASK],
    "figure_candidates_small": ["sharding/method=on_oracle", "solver.candidates=1,2", *ONE_TASK],
    "figure_width_small": ["sharding/method=on_oracle", "solver.width=1,2", *ONE_TASK],
    "figure_levels_small": ["sharding/method=on_oracle", "solver.levels=0,1", *ONE_TASK],
    "figure_scales_small": ["sharding/method=on_oracle", "solver.scales=0,1", *ONE_TASK],
    "table_ablation_small": ["sharding/method=infinite_key", "learning.compute.samples=800", *TINY, *ONE_TASK],
    "figure_plans_small": ["learning.compute.samples=800,1600", *TINY, *ONE_TASK],
    "demo": ["learning.compute.samples=800", *TINY, "data.pool.count=60"],
    "scale_small": ["sharding/method=dim", "data.pool.count=60", "data.tasks={fewest:200,most:200}"],
    "figure_cost_small": [
        "sharding/oracle=eager", "data.count=1", "data.pool.count=60", "data.tasks={fewest:4,most:4}", "data.pool.batch=64",
        "task.shards=3", "data.device.timing={repeats:2,steady:100}",
    ],
}  # fmt: skip
"""What makes an experiment of laptop size brief."""
SHOWN = dict.fromkeys(("pretrain_compute_small", "pretrain_comm_small", "figure_samples_small"), "mse") | {
    "figure_cost_small": "fused_over_sum",
    "measure": "plan_mape",
    "pretrain_measured_small": "mse",
    "real_cpu_small": "mape",
}
"""A metric that it must have, if not the share of tasks with a plan."""
NEEDS = {"shard": ["data.path=tables.csv"], "price": ["data.path=tables.csv", "plan=plan.csv"]}
"""What an experiment cannot be composed without."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(name: str) -> None:
    assert is_told(ALL[name])
    composes("neuroshard", name, NEEDS.get(name, []))


@pytest.mark.parametrize("name", sorted({name for name in ALL if name.endswith("_small")} | BRIEF.keys()))
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    runs(launch, "neuroshard", name, BRIEF[name], SHOWN.get(name, "feasible"))


def test_a_policy_is_trained_and_places(launch: Launcher) -> None:
    brief = "model.training={rounds:1,plans:2,cost_steps:2,batches:1,episodes:2}"
    run = launch("experiment=neuroshard/one", "solver=sharding/policy", "model=sharding/dream_shard",
                 "model.tasks.count=2", brief, *ONE_TASK)  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = launch.outputs.rglob("metrics.json")
    metrics = json.loads(path.read_text())["metrics"]
    assert metrics["measured_plans"] == 2
    assert metrics["feasible"] == 1
    assert (path.parent / "checkpoints" / "dream_shard.pt").is_file()
