"""The policy against messages per edge, its loss against one set at a time (docs/papers/cl_lns.md#13.2, #13.3)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.families import instance, title
from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from benchmarks.policy_schemes import AttentionPerEdge, GraphConvolutionPerEdge, loss_one_by_one, loss_with_dense_sets
from data.ilp.features.dynamic import dynamic_features
from data.ilp.features.static import static_features
from data.ilp.problem import ILP
from data.ilp.state_batch import StateBatch, collate
from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.ilp.losses import contrastive_loss
from models.ilp.policy import NeighborhoodPolicy
from solvers.milp.root_lp import solve_root_lp

REPEATS = {"toy": 1, "small": 5, "paper": 3}
PER_EDGE, WHOLE, KEPT = "messages per edge", "whole network (ours)", "static part kept (ours)"
ONE_BY_ONE, DENSE, SPARSE = "one concatenation per set", "dense sets", "sparse product (ours)"
STATES, POSITIVES, NEGATIVES = {"toy": 2, "small": 32, "paper": 32}, 10, 90
HALF, TENTH = 1 / 2, 1 / 10
BACKBONES: tuple[tuple[Callable[[], nn.Module], Callable[[nn.Module], nn.Module]], ...] = (
    (GAT, AttentionPerEdge),
    (GCN, GraphConvolutionPerEdge),
)


def cases(size: str) -> Iterator[Case]:
    """On an independent set: the forward pass per backbone, then value and gradient of the contrastive loss."""
    torch.set_num_threads(1)
    problem = instance(size, "MIS").to_min()
    inputs = _inputs(problem)
    for backbone, per_edge in BACKBONES:
        yield forward_case(title("MIS", problem), backbone(), per_edge, inputs)
    yield loss_case(problem.n, STATES[size])


def _inputs(problem: ILP) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of the incumbent 0 at the root LP, as the policy takes them."""
    static = static_features(problem, solve_root_lp(problem))
    variables = np.concatenate([static.variables, dynamic_features([np.zeros(problem.n)])], axis=1)
    return tuple(torch.from_numpy(a) for a in (variables, static.rows, static.graph.edge_index, static.edges))  # type: ignore[return-value]


def forward_case(
    name: str, backbone: nn.Module, per_edge: Callable[[nn.Module], nn.Module], inputs: tuple[Tensor, ...]
) -> Case:
    """The same weights evaluated in three ways, which are first checked to agree."""
    torch.manual_seed(0)
    policy = NeighborhoodPolicy(backbone).eval()
    plain = copy.deepcopy(policy)
    for half in ("to_rows", "to_variables"):
        setattr(plain.backbone, half, per_edge(getattr(plain.backbone, half)))
    variables, rows, edge_index, edges = inputs
    encoded = policy.encode_static(variables[:, :95], rows, edge_index, edges)
    ways: dict[str, Callable[[], Tensor]] = {
        PER_EDGE: lambda: plain(*inputs),
        WHOLE: lambda: policy(*inputs),
        KEPT: lambda: policy.score(encoded, variables[:, 95:]),
    }
    with torch.no_grad():
        expected = ways[PER_EDGE]()
        scale = float(expected.abs().max())
        for way in ways.values():
            torch.testing.assert_close(way(), expected, atol=1e-4 * scale, rtol=1e-3)
    targets = [Target(WHOLE, "forward", unit, HALF) for unit in (WALL, CPU)]
    kind = type(backbone).__name__
    return Case(f"{kind}, {name}", {key: _timed("forward", way) for key, way in ways.items()}, PER_EDGE, targets)


def _timed(quantity: str, way: Callable[[], Tensor]) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during(quantity), torch.no_grad():
            way()

    return run


def loss_case(n: int, states: int) -> Case:
    """Value and gradient for random sets of a 24th of the variables each."""
    batch = _labelled(n, states)
    scores = torch.randn(n * states, generator=torch.Generator().manual_seed(0))
    ways: dict[str, Callable[[Tensor, StateBatch], Tensor]] = {
        ONE_BY_ONE: loss_one_by_one,
        DENSE: loss_with_dense_sets,
        SPARSE: lambda scores, batch: contrastive_loss(scores, batch).mean,
    }

    def timed(way: Callable[[Tensor, StateBatch], Tensor]) -> Callable[[Probe], None]:
        def run(probe: Probe) -> None:
            leaf = scores.clone().requires_grad_()
            with probe.during("loss and gradient"):
                loss = way(leaf, batch)
                loss.backward()
            probe.value("loss", float(loss.detach()), "")

        return run

    targets = [Target(SPARSE, "loss and gradient", unit, TENTH) for unit in (WALL, CPU)]
    name = f"contrastive loss, {states} states of {n:,} variables with {POSITIVES + NEGATIVES} sets"
    return Case(name, {key: timed(way) for key, way in ways.items()}, ONE_BY_ONE, targets, warm_up=False)


def _labelled(n: int, states: int) -> StateBatch:
    """States without features: the loss does not look at them."""
    rng = np.random.default_rng(0)
    sets, size = POSITIVES + NEGATIVES, max(1, n // 24)

    def state() -> SimpleNamespace:
        return SimpleNamespace(
            variables=np.zeros((n, 0), np.float32),
            rows=np.zeros((0, 0), np.float32),
            edges=np.zeros((0, 0), np.float32),
            edge_index=np.zeros((2, 0), np.int64),
            member=np.concatenate([rng.choice(n, size, replace=False) for _ in range(sets)]),
            set_of_member=np.repeat(np.arange(sets), size),
            positive=np.arange(sets) < POSITIVES,
            gain=np.ones(sets),
        )

    return collate([state() for _ in range(states)])
