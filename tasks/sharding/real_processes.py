"""Whether a plan that is predicted to be faster is faster, on processes that exchange (docs/papers/neuroshard.md#2.7)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from data.sharding.oracles.all_to_all import AllToAll
from data.sharding.oracles.measured import MeasuredOracle
from data.sharding.oracles.oracle import CostOracle
from data.sharding.oracles.real import RealSteps, real_steps
from data.sharding.plan import Pieces, Plan, is_splittable, split
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError, SolverFailure, at_least
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from runs.text import one_line
from tasks.problems import ProblemTask
from tasks.sharding.order_figure import order_figure
from tasks.sharding.search import Learned

MOST_DRAWS = 2000
"""Of plans, until enough of them fit."""


class RealProcesses(ProblemTask):
    """Prices some plans of each task by the networks and by rules, and holds their order against that of real steps.

    Each device of a task is a process, with the kernel and the exchange of the data's measured device. ``order`` is
    Spearman's correlation with the processor time of the process that needs most; ``order_wall`` with time itself, which on
    fewer cores than devices mostly counts turns. ``regret`` is what the plan that is predicted best really costs over the
    best, less 1. ``repeated_order`` holds the even steps against the odd ones, which no prediction can beat by much. The
    rules are results of methods of their own, as are ``measured`` shards and exchanges, added up by the device.

    Parameters
    ----------
    model
        The networks.
    plans
        Of each task, at least 3.
    warmup, steps
        Steps of each plan before, and those that are timed.
    seed
        Of the plans.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(self, model: Learned, plans: int = 12, warmup: int = 5, steps: int = 30, seed: int = 0) -> None:
        super().__init__()
        at_least("task.", plans=(plans, 3), warmup=(warmup, 0), steps=(steps, 2), seed=(seed, 0))
        self.learned, self.plans, self.warmup, self.steps, self.seed = model, plans, warmup, steps, seed
        self.costs: CostOracle | None = None

    def on_test_start(self) -> None:
        """Train the networks on this machine's costs, or take them over."""
        self.costs = self.learned.prepare(self.folder, self.data.devices)

    def result(self, index: int, name: str, problem: ShardingProblem) -> InstanceResult:
        """The order of some plans by each prediction and in reality.

        Raises
        ------
        ConfigError
            The device is not a measured one.
        """
        oracle = measured_device(problem.oracle)
        problem.validate()
        plans = varied_plans(problem, self.plans, np.random.default_rng([self.seed, index]))
        pieces = [problem.pieces(plan) for plan in plans]
        backend = oracle.communication.backend if isinstance(oracle.communication, AllToAll) else "gloo"
        real = real_steps(
            oracle.kernel,
            problem.tables,
            pieces,
            problem.devices,
            backend,
            self.warmup,
            self.steps,
            oracle.timing.flush_mb,
        )
        assert self.costs is not None
        predicted = priced(self.costs, problem, pieces)
        for method, cost in {**rules(problem, pieces), "measured": priced(oracle, problem, pieces)}.items():
            instances.save(self.folder, InstanceResult(index, name, judged(cost, real), method=method))
        processor, wall = real.processor_cost(), real.wall_cost()
        draw(self.folder, f"order/{name}", lambda: order_figure(predicted, processor, wall))
        even, odd = slice(0, None, 2), slice(1, None, 2)
        metrics = judged(predicted, real) | {
            "repeated_order": spearman(real.processor_cost(even), real.processor_cost(odd)),
            "repeated_order_wall": spearman(real.wall_cost(even), real.wall_cost(odd)),
            "mape": float(np.mean(np.abs(predicted / processor - 1))),
        }
        log = {"plan": np.arange(len(plans)), "predicted": predicted, "processor": processor, "wall": wall}
        return InstanceResult(index, name, metrics, log=log)


def measured_device(device: CostOracle) -> MeasuredOracle:
    """The device, if it measures.

    Raises
    ------
    ConfigError
        It does not.
    """
    if not isinstance(device, MeasuredOracle):
        raise ConfigError("data.device is not measured; choose one with a kernel, such as data/device=eager")
    return device


def varied_plans(problem: ShardingProblem, count: int, rng: np.random.Generator) -> list[Plan]:
    """Feasible plans of every balance, with up to three splits.

    Pieces go, the widest first, with a probability that is drawn once for a plan, to devices by chance, of which some are
    likelier than others; else to that of the least sum of dimensions.

    Raises
    ------
    SolverFailure
        Too few of many draws fit.
    """
    found: dict[Plan, None] = {}
    for _ in range(MOST_DRAWS):
        plan = _random_plan(problem, rng)
        if problem.is_feasible(plan.array()):
            found[plan] = None
        if len(found) == count:
            return list(found)
    raise SolverFailure(
        one_line(
            f"{problem.name}: {len(found)} of {MOST_DRAWS} random plans fit, and {count} are needed; give more memory"
        )
    )


def _random_plan(problem: ShardingProblem, rng: np.random.Generator) -> Plan:
    splits: list[int] = []
    for _ in range(rng.integers(4)):
        _, dims = split(problem.dims, splits)
        if wide := [piece for piece, dim in enumerate(dims) if is_splittable(int(dim))]:
            splits.append(int(rng.choice(wide)))
    _, dims = split(problem.dims, splits)
    anywhere, sums = rng.uniform(), np.zeros(problem.devices)
    likely = rng.dirichlet(np.ones(problem.devices))
    devices = np.zeros(len(dims), np.int64)
    for piece in np.argsort(-dims, kind="stable"):
        devices[piece] = rng.choice(problem.devices, p=likely) if rng.uniform() < anywhere else np.argmin(sums)
        sums[devices[piece]] += dims[piece]
    return Plan(tuple(splits), tuple(devices.tolist()))


def priced(costs: CostOracle, problem: ShardingProblem, pieces: list[Pieces]) -> Float[np.ndarray, " plans"]:
    """ms of the slowest device of each plan."""
    together = Pieces.of_plans(pieces, problem.devices)
    return costs.price(problem.tables, together, problem.devices, len(pieces)).plan


def rules(problem: ShardingProblem, pieces: list[Pieces]) -> dict[str, Float[np.ndarray, " plans"]]:
    """What the greedy rules balance, on the device that has most of it: bytes, dimensions, lookups times dimensions."""
    together = Pieces.of_plans(pieces, problem.devices)
    loads = {
        "size": problem.column_bytes[together.table] * together.dim.astype(float),
        "dim": together.dim.astype(float),
        "lookup": together.dim * problem.tables.pooling_factor[together.table],
    }
    shape = len(pieces), problem.devices
    return {
        name: np.bincount(together.shard, weights=load, minlength=shape[0] * shape[1]).reshape(shape).max(axis=1)
        for name, load in loads.items()
    }


def judged(predicted: Float[np.ndarray, " plans"], real: RealSteps) -> dict[str, float]:
    """How a prediction orders plans."""
    processor = real.processor_cost()
    return {
        "order": spearman(predicted, processor),
        "order_wall": spearman(predicted, real.wall_cost()),
        "regret": float(processor[np.argmin(predicted)] / processor.min() - 1),
    }


def spearman(first: Float[np.ndarray, " plans"], second: Float[np.ndarray, " plans"]) -> float:
    """Correlation of the orders; NaN where there is none."""
    return float(spearmanr(first, second).statistic) if np.ptp(first) and np.ptp(second) else np.nan
