"""Tables that lie on devices in shares: what a linear surrogate of a sharding problem is steered by
(docs/papers/surco.md#2.4)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data.ilp.problem import ILP
from data.sharding.features import piece_features
from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from models.sharding.dream_shard import DreamShard, PlanCosts
from runs.errors import ConfigError
from solvers.differentiable.relaxed import Queried
from solvers.sharding.assignment_ilp import whole_tables
from solvers.sharding.placement import PlacementPolicy


class ShareCosts(ABC):
    """What whole tables cost that lie on devices in shares; of shares 0 and 1, what the plan costs."""

    @abstractmethod
    def plan(self, shares: Float[Tensor, "plans tables devices"]) -> Float[Tensor, " plans"]:
        """ms of the slowest device, with gradients."""


class AdditiveShares(ShareCosts):
    """Formulas or networks that add up pieces: a share of a table is that share of all that the table adds.

    Parameters
    ----------
    problem
        Whose tables.
    model
        Formulas (:class:`~data.sharding.oracles.analytical.AnalyticalDevice`) or networks
        (:class:`~solvers.sharding.predicted.PredictedCosts`).
    """

    def __init__(self, problem: ShardingProblem, model: AdditiveOracle) -> None:
        model.check(problem.devices)
        described = model.describe(problem.tables, np.arange(len(problem.dims)), problem.dims)
        self.problem, self.model = problem, model
        with torch.inference_mode(False):  # a test step is in it, and its tensors take no part in gradients
            self.added, self.largest = (torch.from_numpy(np.ascontiguousarray(part, float)) for part in described)
            self.dims = torch.from_numpy(problem.dims.astype(float))

    def plan(self, shares: Float[Tensor, "plans tables devices"]) -> Float[Tensor, " plans"]:
        plans, _, devices = shares.shape
        by_shard = shares.transpose(1, 2).flatten(0, 1)  # (shards, tables)
        held = (by_shard > 0).any(1).nonzero()[:, 0]
        largest = (by_shard[held, :, None] * self.largest).amax(1)
        busy = self.model.fused(by_shard[held] @ self.added, largest, held % devices)  # type: ignore[arg-type]
        compute = shares.new_zeros(plans * devices).index_put((held,), busy).reshape(plans, devices)  # type: ignore[arg-type]
        sums = (by_shard @ self.dims).reshape(plans, devices)
        return self.model.communicated(self.problem.tables, compute, sums).plan  # type: ignore[arg-type,return-value]


class DreamShardShares(ShareCosts):
    """DreamShard's cost network, on which SurCo's authors descend: a share of a table is that share of its encoding.

    Parameters
    ----------
    problem
        Whose tables.
    network
        Trained.
    features
        What it sees of a table, see :data:`data.sharding.features.FEATURES`.
    """

    def __init__(self, problem: ShardingProblem, network: PlanCosts, features: str = "sized") -> None:
        seen = piece_features(problem.tables, np.arange(len(problem.dims)), problem.dims, features)
        with torch.inference_mode(False), torch.no_grad():
            self.network = copy.deepcopy(network).double().eval()
            self.encoded = self.network.encode(torch.from_numpy(seen))

    def plan(self, shares: Float[Tensor, "plans tables devices"]) -> Float[Tensor, " plans"]:
        return self.network.plan(shares.transpose(1, 2) @ self.encoded)


class RelaxedPlans:
    """A sharding problem as a :class:`~solvers.differentiable.relaxed.Relaxed`: x is (tables * devices), a table's devices
    side by side.

    Parameters
    ----------
    problem
        Whole tables are placed; ``maximize`` is False.
    costs
        Of shares.
    """

    maximize = False

    def __init__(self, problem: ShardingProblem, costs: ShareCosts) -> None:
        self.problem, self.costs = problem, costs
        self.name = problem.name

    @property
    def variables(self) -> int:
        return len(self.problem.dims) * self.problem.devices

    @cached_property
    def polytope(self) -> ILP:
        """Each table on one device, and every memory kept."""
        return whole_tables(self.problem)

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """ms of each relaxed plan, and its gradient."""
        with torch.inference_mode(False), torch.enable_grad():
            leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            values = self.costs.plan(leaf.reshape(len(x), -1, self.problem.devices))
            (gradients,) = torch.autograd.grad(values.sum(), leaf)
        return Queried(values.detach().numpy(), gradients.numpy())

    def assignment(self, x: Float[np.ndarray, " variables"]) -> Int[np.ndarray, " length"]:
        """The plan of a vertex, in its array form."""
        devices = x.reshape(-1, self.problem.devices).argmax(1)
        return Plan((), tuple(devices.tolist())).array()

    def vertex(self, assignment: Int[np.ndarray, " length"]) -> Float[np.ndarray, " variables"]:
        """Inverse of :meth:`assignment`, of a plan without splits."""
        return np.eye(self.problem.devices)[list(Plan.of_array(assignment).devices)].reshape(-1)

    def objective(self, assignment: Int[np.ndarray, " length"]) -> float:
        """By the problem's own oracle."""
        return self.problem.objective(assignment)

    def is_feasible(self, assignment: Int[np.ndarray, " length"]) -> bool:
        """By the problem."""
        return self.problem.is_feasible(assignment)


def on_device(problem: ShardingProblem) -> RelaxedPlans:
    """The relaxed view of a problem that its own device prices, as searches on costs take it.

    Raises
    ------
    ConfigError
        The device has no gradient.
    """
    return RelaxedPlans(problem, share_costs(problem, problem.oracle))


def share_costs(problem: ShardingProblem, model: object) -> ShareCosts:
    """What has a gradient of what prices plans.

    Raises
    ------
    ConfigError
        It has none: what is measured, say.
    """
    if isinstance(model, AdditiveOracle):
        return AdditiveShares(problem, model)
    if isinstance(model, PlanCosts):
        return DreamShardShares(problem, model)
    if isinstance(model, PlacementPolicy) and isinstance(model.network, DreamShard):
        return DreamShardShares(problem, model.network.costs, model.kind)
    raise ConfigError(
        f"a {type(model).__name__} has no gradient to steer by; choose a device of formulas (data/device=gpu11, nvlink, "
        "fitted) with solver.on_oracle=true, or learned costs with model=sharding/pretrained"
    )
