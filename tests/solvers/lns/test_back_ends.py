"""Every back end repairs end to end, with plateau moves and without, and the paper's protocol runs."""

import numpy as np
import pytest
from hydra.utils import instantiate

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.sc import SetCover
from solvers.base import Budget, Status
from solvers.lns.accept.equal import Equal
from solvers.lns.accept.strict import Strict
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.destroy.random import Random
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.size import NeighborhoodSize
from solvers.lns.start import FirstSolution, Greedy
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.scip import Scip
from tests.composition import composed

BACK_ENDS = {"highs": Highs, "scip": Scip, "cp_sat": CpSat}
PROBLEMS = {
    "ca": CombinatorialAuction(30, 60)(np.random.default_rng(3), "ca"),
    "sc": SetCover(columns=50, rows=40, density=0.1)(np.random.default_rng(0), "sc"),
}


@pytest.fixture(scope="module")
def optima():
    solve = {"budget": Budget(seconds=60), "rng": np.random.default_rng(0)}
    solutions = {name: Highs().solve(problem, **solve) for name, problem in PROBLEMS.items()}
    assert all(solution.status == Status.OPTIMAL for solution in solutions.values())
    return {name: solution.objective for name, solution in solutions.items()}


@pytest.mark.parametrize("family", sorted(PROBLEMS))
@pytest.mark.parametrize("accept", [Equal, Strict])
@pytest.mark.parametrize("back_end", sorted(BACK_ENDS))
@pytest.mark.parametrize("destroy", [Random, LBRelax])
def test_search_with_a_back_end_reaches_and_proves_the_optimum(family, accept, back_end, destroy, optima):
    problem = PROBLEMS[family]
    engine = LargeNeighborhoodSearch(
        destroy(), BACK_ENDS[back_end](), Greedy(), NeighborhoodSize(15, growth=1.5, largest=1.0), accept()
    )
    solution = engine.solve(problem, budget=Budget(evaluations=40), rng=np.random.default_rng(0))
    sense = -1.0 if problem.maximize else 1.0
    assert (np.diff(sense * np.array(solution.trace.objective)) <= 0).all()
    assert solution.feasible and problem.is_feasible(solution.assignment)
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(optima[family])
    assert set(solution.log["status"]) <= {"optimal", "infeasible", "skipped"}


@pytest.mark.parametrize("back_end", ["scip", "cp_sat"])
def test_back_ends_solve_the_local_branching_ilp_and_the_start(back_end, optima):
    problem = PROBLEMS["ca"]
    solver = BACK_ENDS[back_end]()
    first = FirstSolution(solver).solve(problem, budget=Budget(seconds=60), rng=np.random.default_rng(0))
    assert first.feasible
    engine = LargeNeighborhoodSearch(LocalBranching(solver), solver, Greedy(), NeighborhoodSize(4, largest=0.2))
    solution = engine.solve(problem, budget=Budget(evaluations=8), rng=np.random.default_rng(0))
    start = Greedy().solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0))
    assert start.objective < solution.objective <= optima["ca"] + 1e-6


def paper_engine(method, *overrides):
    cfg = composed("task=ilp/search", "data=ilp/ca_small", f"solver=lns/{method}", "lns=paper", *overrides)
    return instantiate(cfg.solver, _convert_="all")


@pytest.mark.parametrize("method", ["lb_relax", "lb_relax_r", "lb_relax_s", "local_branching", "random"])
def test_the_papers_protocol_starts_and_repairs_with_scip(method, monkeypatch):
    engine = paper_engine(method, "lns.size.initial=12")
    assert isinstance(engine.start, FirstSolution) and isinstance(engine.repair.solver, Scip)
    found = Greedy().solve(PROBLEMS["ca"], budget=Budget(seconds=9), rng=np.random.default_rng(0))

    def unproved(*args, **others):  # SCIP would settle so small a problem before the first iteration
        solution = FirstSolution(Scip()).solve(*args, **others)
        assert solution.feasible
        return found

    monkeypatch.setattr(engine, "start", type("Start", (), {"solve": staticmethod(unproved)})())
    solution = engine.solve(PROBLEMS["ca"], budget=Budget(evaluations=6), rng=np.random.default_rng(0))
    assert solution.feasible and len(solution.log["evaluation"]) == 6
    assert solution.objective >= found.objective


def test_the_papers_start_proves_a_tiny_problem(optima):
    engine = paper_engine("lb_relax")
    solution = engine.solve(PROBLEMS["ca"], budget=Budget(seconds=60), rng=np.random.default_rng(0))
    assert solution.status == Status.OPTIMAL
    assert solution.objective == pytest.approx(optima["ca"])
