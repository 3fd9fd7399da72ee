"""This machine's costs, learned and fitted, for plans that are made elsewhere or later (docs/papers/neuroshard.md#2.6)."""

from __future__ import annotations

import numpy as np

from data.sharding.cost_samples import ShardCosts
from data.sharding.oracles.fitted import ComputeSamples, ExchangeSamples, Fitted, fit_device
from data.sharding.oracles.oracle import CostOracle
from data.sharding.problem import ShardingProblem
from runs.errors import at_least
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from tasks.problems import ProblemTask
from tasks.sharding.pretrained import PretrainedCosts
from tasks.sharding.real_processes import measured_device, priced, spearman, varied_plans

DEVICE_FILE = "device.json"


class CostMeasuring(ProblemTask):
    """Measures shards and exchanges, trains the networks on them, fits a device, and judges both by plans measured anew.

    The networks stay in the run's folder, for ``model.run=FOLDER``; the device is its file ``files/device.json``, for
    ``data/device=fitted``. What was measured is in the artifact cache, shard by shard: a killed collection goes on, and
    copies of the command share the work. ``plan_mape`` is the mean relative error of the cost of plans, and ``plan_order``
    Spearman's correlation with it; those of the fitted device are results of a method of its own.

    Parameters
    ----------
    model
        How the networks are trained, on samples of the data's device.
    plans
        Of each task, at least 3.
    seed
        Of the plans.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(self, model: PretrainedCosts, plans: int = 4, seed: int = 0) -> None:
        super().__init__()
        at_least("task.", plans=(plans, 3), seed=(seed, 0))
        self.learned, self.plans, self.seed = model, plans, seed
        self.costs: CostOracle | None = None
        self.fitted: Fitted | None = None

    def on_test_start(self) -> None:
        """Measure, train and fit.

        Raises
        ------
        ConfigError
            The device is not a measured one.
        """
        oracle = measured_device(self.data.device)
        self.costs = self.learned.prepare(self.folder, self.data.devices)
        self.fitted = fit_device(*samples_of(self.learned), oracle.machine, oracle.kernel.name)
        if self.trainer.is_global_zero:
            keep_file(self.folder, DEVICE_FILE, self.fitted.to_json().encode())
            tell(self.folder, sentences(self.fitted))

    def result(self, index: int, name: str, problem: ShardingProblem) -> InstanceResult:
        """How far plans of one task are from what is measured of them."""
        assert self.costs is not None and self.fitted is not None
        problem.validate()
        plans = varied_plans(problem, self.plans, np.random.default_rng([self.seed, index]))
        pieces = [problem.pieces(plan) for plan in plans]
        true = priced(problem.oracle, problem, pieces)
        columns = {"networks": self.costs, "fitted": self.fitted.device(problem.oracle.skew)}
        found = {method: priced(costs, problem, pieces) for method, costs in columns.items()}
        judged = {
            method: {"plan_mape": float(np.mean(np.abs(each / true - 1))), "plan_order": spearman(each, true)}
            for method, each in found.items()
        }
        fitted = judged["fitted"] | self.fitted.quality
        instances.save(self.folder, InstanceResult(index, name, fitted, method="fitted"))
        log = {"plan": np.arange(len(plans)), "measured": true, **found}
        return InstanceResult(index, name, judged["networks"], log=log)


def samples_of(learned: PretrainedCosts) -> tuple[ComputeSamples, list[ExchangeSamples]]:
    """What the networks are trained on, for a fit."""
    stores = {part: training.samples.samples for part, training in learned.trainings.items()}
    shards, source = stores["compute"].samples(), stores["compute"].source
    assert isinstance(source, ShardCosts)
    backward, forward = stores["backward"].samples(), stores["forward"].samples()
    compute = ComputeSamples(source.tables, source.pieces(shards), shards.targets)
    return compute, [
        ExchangeSamples(backward.inputs["dim_sums"], backward.targets),
        ExchangeSamples(forward.inputs["dim_sums"], forward.targets, forward.inputs["start"]),
    ]


def sentences(fitted: Fitted) -> list[str]:
    """How well the device tells what it was not fitted to."""
    quality = fitted.quality
    return [
        f"fitted device of {fitted.machine}, kernel {fitted.kernel}, batch {fitted.batch}: relative error of shards "
        f"{quality['compute_mape']:.1%} (R^2 of logarithms {quality['compute_r2']:.3f}), of exchanges "
        f"{quality['exchange_mape']:.1%} ({quality['exchange_r2']:.3f}), on a fifth that was not fitted"
    ]
