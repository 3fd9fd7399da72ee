"""Plans to take away: files, a figure of the devices before and after, and what is critical (docs/sharding.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.plan import Pieces, Plan
from data.sharding.plan_file import to_csv
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.torchrec_file import to_torchrec
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from runs.record.left_out import draw
from solvers.base import Budget, Solver
from solvers.sharding.greedy import Greedy
from tasks.sharding.balance_figure import balance_figure
from tasks.sharding.search import ShardingSearch
from tasks.side_by_side import OWN, answers, best_of, side_by_side

RULES = ("size", "dim", "lookup", "size_lookup")
"""Greedy rules whose best plan is what the search is set beside."""
MOST_CRITICAL = 3


class ShardingPlans(ShardingSearch):
    """A search whose plans are kept: ``plan.csv``, ``plan.json`` in TorchRec's terms, a figure, and a few sentences.

    Beside what every search measures there are ``greedy_cost``, ms of the best plan of the greedy rules, and ``gain``, by
    how much the plan costs less, relative.

    Parameters
    ----------
    beside
        Other solvers by name, whose results stand beside the search's; with the run's model, budget and seed. The best plan
        of all, the greedy rules' included, is kept. The figure shows their plans, or without any the best greedy rule's.
    """

    def __init__(self, *given: Any, beside: Mapping[str, Solver] | None = None, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.beside = dict(beside or {})

    def result(self, index: int, name: str, problem: ShardingProblem) -> InstanceResult:
        """Search one task, and keep its plan."""
        results = side_by_side(self, self.beside, super().result, index, name, problem)
        found = results[OWN]
        rule, before = best_rule(problem)
        if before is not None:
            found.metrics["greedy_cost"] = problem.objective(before.array())
            if "cost" in found.metrics:
                found.metrics["gain"] = 1 - found.metrics["cost"] / found.metrics["greedy_cost"]
        plans = {label: Plan.of_array(assignment) for label, assignment in answers(results).items()}
        shown = dict(plans)
        if before is not None:
            greedy = f"best greedy rule ({rule})"
            plans[greedy] = before
            shown = shown if self.beside else {greedy: before} | shown
        best = best_of(problem, {label: plan.array() for label, plan in plans.items()})
        if best is None:
            tell(self.folder, [f"no plan for {problem.name} was found that keeps every memory", *_assumptions(problem)])
            return found
        prefix = "" if len(self.data.test_problems) == 1 else f"{problem.name}."
        keep_plan(self.folder, problem, plans[best], prefix)
        draw(self.folder, f"{prefix}devices", lambda: balance_figure(problem, shown))
        lines = sentences(problem, plans[best], rule, before)
        if best != OWN:
            own = f"the search's takes {found.metrics['cost']:.4g} ms" if OWN in plans else "the search has none"
            lines.append(f"the plan that is kept is that of {best}; {own}")
        tell(self.folder, [*lines, *_assumptions(problem)])
        return found


def keep_plan(folder: Path, problem: ShardingProblem, plan: Plan, prefix: str = "") -> None:
    """Leave a plan in a run's folder, as CSV and as TorchRec's JSON."""
    keep_file(folder, f"{prefix}plan.csv", to_csv(problem, plan).encode())
    keep_file(folder, f"{prefix}plan.json", json.dumps(to_torchrec(problem, plan), indent=1).encode())


def best_rule(problem: ShardingProblem) -> tuple[str, Plan | None]:
    """The greedy rule with the cheapest plan, and the plan; None if none has one."""
    best, plan, least = "", None, np.inf
    for rule in RULES:
        found = Greedy(rule).solve(problem, budget=Budget(seconds=60), rng=np.random.default_rng(0))
        if found.feasible and found.assignment is not None and found.objective < least:
            best, plan, least = rule, Plan.of_array(found.assignment), found.objective
    return best, plan


def sentences(problem: ShardingProblem, plan: Plan, rule: str | None = None, before: Plan | None = None) -> list[str]:
    """What a plan costs, against a greedy rule's where there is one, and which device and which tables decide it."""
    pieces, costs = problem.pieces(plan), problem.costs(plan)
    cost = float(costs.plan[0])
    splits = f"{len(plan.splits)} column split{'s' if len(plan.splits) != 1 else ''}"
    lines = [f"{problem.name}: a step takes {cost:.4g} ms with {splits}"]
    if before is not None:
        greedy = problem.objective(before.array())
        change = 100 * (1 - cost / greedy)
        how = f"{abs(change):.3g} % {'less' if change >= 0 else 'more'} than"
        lines[0] += f", {how} the {greedy:.4g} ms of the best greedy rule ({rule})"
    elif rule is not None:
        lines[0] += "; no greedy rule has a plan"
    last = int(np.argmax(costs.compute[0] + costs.backward[0]))
    parts = ", ".join(
        f"{label} {getattr(costs, name)[0, last]:.4g} ms"
        for label, name in (("computation", "compute"), ("backward", "backward"), ("forward", "forward"))
    )
    used, limit = problem.memory_used(pieces)[last] / GIB, problem.memory[last] / GIB
    ahead = f"device {last} is ready last, and all wait for it ({parts}); it holds {used:.4g} GiB of its {limit:.4g}"
    mine = np.flatnonzero(pieces.shard == last)
    if isinstance(problem.oracle, AdditiveOracle) and len(mine):
        alone = _alone(problem, pieces, mine, last)
        order = np.argsort(-alone, kind="stable")[:MOST_CRITICAL]
        dearest = ", ".join(
            f"{problem.tables.names[pieces.table[mine[i]]]} ({pieces.dim[mine[i]]} columns, {alone[i]:.3g} ms alone)"
            for i in order
        )
        ahead += f", and its dearest pieces are {dearest}"
    return [*lines, ahead]


def _alone(problem: ShardingProblem, pieces: Pieces, mine: np.ndarray, device: int) -> np.ndarray:
    """ms of each of some pieces alone on a device."""
    count, devices = len(mine), problem.devices
    single = Pieces(pieces.table[mine], pieces.dim[mine], np.arange(count) * devices + device)
    return problem.oracle.compute(problem.tables, single, count * devices, devices)[single.shard]


def _assumptions(problem: Any) -> tuple[str, ...]:
    return getattr(problem, "assumptions", ())
