"""The peers do the same job as we do: the same sub-ILP optimum, the same kind of instance."""

import numpy as np
import pytest

pytest.importorskip("pyscipopt")
pytest.importorskip("highspy")
pytest.importorskip("ortools")
pytest.importorskip("networkx")

from benchmarks.copy_scheme import CopyRepair, CopyScheme
from benchmarks.families import FAMILIES, greedy, instance
from benchmarks.generators import peers
from benchmarks.measure import CPU, WALL, Probe
from solvers.lns.repair import Repair
from solvers.lns.state import SearchState, Selection
from solvers.milp.highs import Highs


@pytest.mark.parametrize("family", FAMILIES["toy"])
def test_the_copy_scheme_reaches_the_optimum_of_our_repair(family):
    problem = instance("toy", family).to_min()
    incumbent = greedy(problem)
    state = SearchState(problem, np.arange(problem.n), incumbent, problem.objective(incumbent))
    free = np.random.default_rng(0).choice(problem.n, problem.n // 2, replace=False)
    selection = Selection.of(state, free)
    probe = Probe()
    found = []
    for repair in (CopyRepair(CopyScheme(problem), probe, 1.0), Repair(Highs())):
        repair.prepare(problem)
        found.append(repair.solve(state, selection, np.random.default_rng(0)))
    copied, ours = found
    assert copied.objective == pytest.approx(ours.objective, rel=1e-9)
    assert copied.objective <= state.objective + 1e-7
    assert problem.is_feasible(copied.assignment)
    fixed = ~selection.free
    assert (copied.assignment[fixed] == incumbent[fixed]).all()
    assert set(probe.amounts) == {("solver", WALL), ("solver", CPU)}


@pytest.mark.parametrize("family", FAMILIES["toy"])
def test_a_peer_generates_valid_instances_of_the_same_shape(family):
    generator, _ = FAMILIES["toy"][family]
    ours, theirs = generator(np.random.default_rng(1), "ours"), peers("toy")[family][1](1).validate()
    assert (theirs.n, theirs.maximize, theirs.integer.all()) == (ours.n, ours.maximize, True)
    assert theirs.is_feasible(greedy(theirs))
    if family in ("MVC", "SC"):  # rows and nonzeros are fixed by the settings
        assert (theirs.m, theirs.A.nnz) == (ours.m, ours.A.nnz)
    assert set(theirs.row_lo) == set(ours.row_lo) and set(theirs.row_hi) == set(ours.row_hi)


def test_the_peers_of_random_graphs_and_auctions_are_drawn_from_the_same_distribution():
    def mean_nonzeros(generate):
        return np.mean([generate(seed).A.nnz for seed in range(60)])

    for family in ("MIS", "CA"):
        generator, _ = FAMILIES["toy"][family]
        ours = mean_nonzeros(lambda seed, generator=generator: generator(np.random.default_rng(seed), "ours"))
        assert mean_nonzeros(peers("toy")[family][1]) == pytest.approx(ours, rel=0.06)
