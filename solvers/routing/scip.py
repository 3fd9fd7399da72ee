"""The most likely path by SCIP: spatial branch and bound on the score (docs/papers/surco.md#4)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

from data.ilp.problem import ILP
from data.routing.problem import RoutingProblem
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.milp.incumbent import Incumbent
from solvers.milp.native import solve_native
from solvers.milp.scip import Scip, ScipModel
from solvers.routing.shortest_path import ShortestPath

FORMS = ("product", "quotient")


class ScipPath:
    """Maximise the score z with flow conservation. An evaluation is a node of SCIP's tree; f is not queried.

    Parameters
    ----------
    form
        ``quotient``: z <= (deadline - mean) / sqrt(variance), as it stands; a solution with a cycle beside its path is none.
        ``product``: z s = deadline - mean and s^2 = variance, with bounds on both sides from shortest paths, and an order of
        the nodes that bars cycles.
    scip
        The solver.

    Raises
    ------
    ConfigError
        There is no such form.
    """

    def __init__(self, form: Literal["product", "quotient"] = "product", scip: Scip | None = None) -> None:
        if form not in FORMS:
            raise ConfigError(f"solver.form is '{form}'; choose {' or '.join(FORMS)}")
        self.form, self.scip = form, scip or Scip()

    def solve(
        self,
        problem: RoutingProblem,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search until the budget ends or the best path is proved; bounds are on the probability.

        Raises
        ------
        MissingDependency
            PySCIPOpt is not installed.
        """
        problem.validate()
        incumbent = Incumbent(cast("ILP", _Scores(problem)), budget, initial, checkpoint=checkpoint)
        seed = int(rng.integers(2**31 - 1))
        found = solve_native(
            incumbent, partial(ScipModel, self.scip, incumbent, seed, partial(_fill, problem, self.form))
        )
        columns = found.trace.to_arrays()
        trace = Trace.from_arrays(
            columns | {name: ndtr(columns[name]) for name in ("objective", "bound")}, found.trace.maximize
        )
        assignment = None if found.assignment is None else problem.assignment(found.assignment)
        return replace(found, assignment=assignment, objective=float(ndtr(found.objective)), trace=trace)


class _Scores:
    """A problem as back ends of integer programs look at it: its objective is the score."""

    maximize, offset = True, 0.0

    def __init__(self, problem: RoutingProblem) -> None:
        self.problem, self.name, self.n = problem, problem.name, problem.variables
        self.lb, self.ub, self.c = np.zeros(self.n), np.ones(self.n), np.zeros(self.n)

    @property
    def integer(self) -> Bool[np.ndarray, " edges"]:
        return np.ones(self.n, bool)

    @property
    def fingerprint(self) -> str:
        parts = (self.problem.means, self.problem.variances, self.problem.tails, self.problem.heads)
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

    def to_min(self) -> _Scores:
        return self

    def objective(self, x: Float[np.ndarray, " edges"]) -> float:
        return float(self.problem.scores(x[None])[0])

    def is_feasible(self, x: Float[np.ndarray, " edges"]) -> bool:
        return self.problem.is_feasible(x)

    def worst_violation(self, x: Float[np.ndarray, " edges"]) -> tuple[str, float]:
        return "the edges are no simple path", 1.0


def _fill(problem: RoutingProblem, form: str, model: Any, view: _Scores) -> list[Any]:
    """Put the nonlinear program into an empty SCIP model; the variables of the edges."""
    from pyscipopt import quicksum, sqrt

    def weighted(numbers: np.ndarray) -> Any:
        return quicksum(number * x for number, x in zip(numbers.tolist(), edges, strict=True))

    edges = [model.addVar(vtype="B") for _ in range(problem.variables)]
    _add_flow(problem, model, edges, ordered=form == "product")
    slack, variance = problem.deadline - weighted(problem.means), weighted(problem.variances)
    for column in () if problem.factor is None else problem.factor.T:
        loading = model.addVar(lb=None)
        model.addCons(loading == weighted(column))
        variance += loading * loading
    score = model.addVar(lb=None)
    if form == "quotient":
        model.addCons(score <= slack / sqrt(variance))
    else:
        (least_mean, least_variance), (most_mean, most_variance) = _ranges(problem)
        early = model.addVar(lb=problem.deadline - most_mean, ub=problem.deadline - least_mean)
        spread = model.addVar(lb=float(np.sqrt(least_variance)), ub=float(np.sqrt(most_variance)))
        model.addCons(early == slack)
        model.addCons(spread * spread == variance)
        model.addCons(score * spread == early)
    model.setObjective(-score, "minimize")
    return edges


def _ranges(problem: RoutingProblem) -> tuple[tuple[float, float], tuple[float, float]]:
    """What mean and variance of a path are at least, and at most."""
    both = np.stack([problem.means, problem.variances])
    mean, variance = (both * ShortestPath().solve(both, problem).x).sum(1).tolist()
    shared = 0.0 if problem.factor is None else float((np.abs(problem.factor).sum(0) ** 2).sum())
    return (mean, variance), (float(problem.means.sum()), float(problem.variances.sum()) + shared)


def _add_flow(problem: RoutingProblem, model: Any, edges: list[Any], ordered: bool) -> None:
    """One unit from the source to the target, along edges that are taken; ``ordered`` bars cycles."""
    from pyscipopt import quicksum

    leaving: list[list[Any]] = [[] for _ in range(problem.nodes)]
    entering: list[list[Any]] = [[] for _ in range(problem.nodes)]
    place = [model.addVar(lb=0, ub=problem.nodes - 1) for _ in range(problem.nodes)] if ordered else []
    for edge, (tail, head) in enumerate(zip(problem.tails.tolist(), problem.heads.tolist(), strict=True)):
        arcs = [model.addVar(vtype="B") for _ in range(2)]
        model.addCons(edges[edge] == arcs[0] + arcs[1])
        for arc, (here, there) in zip(arcs, ((tail, head), (head, tail)), strict=True):
            leaving[here].append(arc)
            entering[there].append(arc)
            if ordered:
                model.addCons(place[there] >= place[here] + 1 - problem.nodes * (1 - arc))
    for node in range(problem.nodes):
        net = float(node == problem.source) - float(node == problem.target)
        model.addCons(quicksum(leaving[node]) - quicksum(entering[node]) == net)
        if ordered:
            model.addCons(quicksum(leaving[node]) <= float(node != problem.target))
