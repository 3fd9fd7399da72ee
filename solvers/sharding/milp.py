"""Assignment by a MILP solver, of costs that add up (docs/papers/neuroshard.md#3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.plan import Pieces
from data.sharding.problem import ShardingProblem
from runs import interrupt
from runs.errors import ConfigError, at_least, nearest
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.milp.base import MilpSolver
from solvers.milp.cpsat import CpSat
from solvers.sharding.answer import answer
from solvers.sharding.assignment_ilp import candidates, least_load
from solvers.sharding.lanes import Pricing
from solvers.sharding.weights import weights

WEIGHTS = ("size", "dim", "lookup", "size_lookup", "torchrec_model", "single")


class AdditiveMilp:
    """The plan whose largest load is least, to the solver's gap, if the costs of pieces added up.

    The budget's evaluations are the back end's. ``log`` has a row for each improvement: ``load``, the largest on a device,
    and the ``bound`` on it, both in the unit of ``weight``.

    Parameters
    ----------
    solver
        The back end.
    weight
        What a piece costs: one of :func:`~solvers.sharding.weights.weights`, or ``single``: what the cost model says of it
        alone on a device.
    halvings
        How often a table may be halved; 0 places tables whole.

    Raises
    ------
    ConfigError
        There is no such weight, or ``halvings`` is below 0.
    """

    def __init__(self, solver: MilpSolver, weight: str = "torchrec_model", halvings: int = 0) -> None:
        if weight not in WEIGHTS:
            raise ConfigError(f"solver.weight is '{weight}'{nearest(weight, WEIGHTS)}")
        at_least("solver.", halvings=(halvings, 0))
        self.solver, self.weight, self.halvings = solver, weight, halvings

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Solve; ``scorer`` is the cost model of ``single``.

        Raises
        ------
        ConfigError
            ``weight`` is ``single`` and there is no cost model.
        """
        problem.validate()
        meter = budget.start()
        chosen = candidates(problem, self.halvings)
        with interrupt.watch():
            cost = self._costs(problem, chosen, scorer)
            model = least_load(problem, chosen, cost, exact=isinstance(self.solver, CpSat))
            found = self.solver.solve(model.ilp, budget=budget, rng=rng, checkpoint=checkpoint)
            plan = None if found.assignment is None else model.plan(found.assignment)
            meter.evaluations = found.trace.evaluations[-1] if len(found.trace) else 0
            columns = found.trace.to_arrays()
            log = {"seconds": columns["seconds"], "load": columns["objective"], "bound": columns["bound"]}
            return answer(problem, plan, meter, (), log)

    def _costs(self, problem: ShardingProblem, chosen: Pieces, scorer: Any) -> Float[np.ndarray, " candidates"]:
        if self.weight != "single":
            return weights(problem, chosen.table, chosen.dim)[self.weight]
        if not isinstance(scorer, AdditiveOracle):
            raise ConfigError("solver.weight is single, and there is no cost model; choose one with model=sharding/...")
        pricing = Pricing(problem, scorer, Budget(seconds=np.inf).start())
        kinds = pricing.kinds_of(chosen.table[None], chosen.dim[None])[0]
        return pricing.single[kinds]
