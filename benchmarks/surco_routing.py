"""A descent of 30 queries on the costs of a grid's edges, against the authors' scheme of shortest paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, Probe
from benchmarks.path_schemes import descend, shortest_path
from data.routing.grids import IndependentTimes
from data.routing.instances import RoutingGrids
from data.routing.problem import RoutingProblem
from solvers.base import Budget
from solvers.differentiable.descent import ZeroDescent
from solvers.differentiable.parametrisation import Sigmoid
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.routing.shortest_path import BACKENDS, ShortestPath

REPEATS = {"toy": 1, "small": 5, "paper": 15}
THEIRS = "networkx, Bellman-Ford, a graph for every call (authors)"
WHOLE, PATH = "descent", "shortest path"
FASTER = 50


def cases(size: str) -> Iterator[Case]:
    """The authors' grid, and a smaller one."""
    for nodes, steps in ((4, 3),) if size == "toy" else ((5, 30), (10, 30)):
        yield case(RoutingGrids(IndependentTimes(), nodes).problem(0), nodes, steps)


def case(problem: RoutingProblem, nodes: int, steps: int) -> Case:
    """One instance; all ways take the same steps from the same start."""
    compiled = "compiled" if ShortestPath().backend == "compiled" else "scipy"
    names = {backend: f"{backend} (ours)" for backend in BACKENDS if backend in ("scipy", compiled)}
    found = [_solved(problem, ShortestPath(backend), steps, 0) for backend in names]  # type: ignore[arg-type]
    np.testing.assert_allclose(found, descend(problem, steps, np.random.default_rng(0)), rtol=1e-9)
    costs = np.random.default_rng(0).random((50, problem.variables))
    tensors = torch.from_numpy(costs)
    runs = {
        THEIRS: _timed(
            lambda seed: descend(problem, steps, np.random.default_rng(seed)),
            lambda turn: shortest_path(problem, tensors[turn]),
            1,
        )
    }
    for backend, name in names.items():
        oracle = ShortestPath(backend)  # type: ignore[arg-type]
        runs[name] = _timed(
            lambda seed, oracle=oracle: _solved(problem, oracle, steps, seed),  # type: ignore[misc]
            lambda turn, oracle=oracle: oracle.solve(costs[[turn]], problem),  # type: ignore[misc]
            20,
        )
    targets = [Target(names[compiled], quantity, CPU, 1 / FASTER) for quantity in (WHOLE, PATH)]
    return Case(f"{nodes} x {nodes} nodes, {steps} queries", runs, THEIRS, targets)


def _solved(problem: RoutingProblem, oracle: ShortestPath, steps: int, seed: int) -> float:
    zero = ZeroDescent(oracle, Blackbox(1000.0, floor=0.0), Sigmoid(), zero_gradients=None)
    found = zero.solve(problem, budget=Budget(evaluations=steps), rng=np.random.default_rng(seed))
    return found.objective


def _timed(solve: Callable[[int], float], path: Callable[[int], object], times: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during(PATH, share=1 / 50):
            for turn in range(50):
                path(turn)
        with probe.during(WHOLE, share=1 / times):
            for turn in range(times):
                solve(100 * (probe.round + 1) + turn)

    return run
