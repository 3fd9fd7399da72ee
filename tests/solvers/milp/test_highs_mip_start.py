"""A MIP start that presolve improves to the optimum must not come back as the answer."""

import numpy as np
import pytest

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.reduce import reduce
from solvers.base import Budget, Status
from solvers.lns.start import Greedy

pytest.importorskip("highspy")


def test_highs_returns_the_optimum_of_every_neighborhood_with_or_without_a_start():
    from solvers.milp.highs import Highs

    problem = CombinatorialAuction(500, 1000)(np.random.default_rng(0), "ca").to_min()
    budget = Budget(seconds=60)
    x = Greedy().solve(problem, budget=budget, rng=np.random.default_rng(0)).assignment
    for seed in range(30):
        rng = np.random.default_rng(seed)
        fixed = np.ones(problem.n, bool)
        fixed[rng.choice(problem.n, 200, replace=False)] = False
        sub = reduce(problem, fixed, x)
        plain = Highs().solve(sub.problem, budget=budget, rng=np.random.default_rng(1))
        started = Highs().solve(sub.problem, budget=budget, initial=sub.restrict(x), rng=np.random.default_rng(1))
        assert plain.status == started.status == Status.OPTIMAL
        assert started.objective == pytest.approx(plain.objective, rel=1e-9)
