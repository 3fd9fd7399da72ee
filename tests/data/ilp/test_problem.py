"""The ILP dataclass: what it computes and what it refuses."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from data.ilp.problem import ILP
from runs.errors import InvalidProblem


def knapsack(**changes) -> ILP:
    settings = {
        "c": [3.0, 2.0, 1.0],
        "A": [[2.0, 1.0, 1.0], [0.0, 1.0, -1.0]],
        "row_lo": [-np.inf, 0.0],
        "row_hi": [3.0, np.inf],
        "ub": [1.0, 1.0, 5.0],
        "integer": [True, True, False],
        "maximize": True,
        "offset": 10.0,
        "var_names": ("x", "y", "z"),
        "row_names": ("capacity", "order"),
        "name": "knapsack",
    }
    return ILP.build(**{**settings, **changes})


def test_objective_includes_the_offset_and_keeps_the_sense():
    assert knapsack().validate().objective(np.array([1, 0, 0.5])) == 13.5


def test_to_min_negates_objective_and_offset_once():
    problem = knapsack()
    x = np.array([1, 1, 0.0])
    assert problem.to_min().objective(x) == -problem.objective(x)
    minimum = problem.to_min()
    assert minimum.to_min() is minimum


def test_binary_means_integer_within_zero_and_one():
    problem = knapsack(ub=[1.0, 2.0, 1.0], integer=[True, True, False])
    assert problem.binary.tolist() == [True, False, False]


@pytest.mark.parametrize(
    "x, feasible",
    [
        ([1, 0, 0], True),
        ([1, 1, 0], True),
        ([1, 1, 1], False),  # capacity 4 > 3
        ([0, 0, 1], False),  # order -1 < 0
        ([0.5, 1, 0], False),  # fractional
        ([2, 0, 0], False),  # above its bound
        ([1 - 5e-7, 0, 0], True),
        ([1 + 2.9e-6, 0, 0], False),
        ([1, 1, 2.9e-6], True),  # capacity 3.0000029 within 1e-6 * 3
        ([1, 1, 3.1e-6], False),
        ([np.nan, 0, 0], False),
        ([np.inf, 0, 0], False),
        ([1, 0], False),
    ],
)
def test_feasibility_keeps_scaled_tolerance_integrality_and_finiteness(x, feasible):
    assert knapsack().is_feasible(np.array(x, float)) is feasible


def test_worst_violation_names_the_row_or_variable():
    problem = knapsack()
    assert problem.worst_violation(np.array([1, 1, 0.0])) == ("nothing", 0.0)
    description, amount = problem.worst_violation(np.array([1, 1, 3.0]))
    assert ("row 'capacity'" in description and amount == 3.0) or ("row 'order'" in description and amount == 2.0)
    description, amount = problem.worst_violation(np.array([0, 0.5, 0]))
    assert "'y'" in description and "integer" in description and amount == 0.5
    assert problem.worst_violation(np.array([0, np.nan, 0]))[1] == np.inf


def test_a_feasible_point_has_no_violation_beyond_the_tolerance():
    rng = np.random.default_rng(0)
    problem = ILP.build(np.ones(4), rng.integers(-3, 4, (5, 4)), row_hi=rng.integers(0, 5, 5), ub=2, integer=True)
    for x in np.ndindex(3, 3, 3, 3):
        assert problem.is_feasible(np.array(x, float)) == (problem.worst_violation(np.array(x, float))[1] <= 1e-6)


def test_fingerprint_follows_content_not_names():
    problem = knapsack()
    assert problem.fingerprint == knapsack(name="other", var_names=(), row_names=()).fingerprint
    assert problem.fingerprint == knapsack(A=sp.coo_matrix(problem.A)).fingerprint
    for change in ({"offset": 1.0}, {"maximize": False}, {"ub": 1.0}, {"integer": True}, {"row_hi": [3.0, 9.0]}):
        assert problem.fingerprint != knapsack(**change).fingerprint


def test_arrays_are_read_only_also_after_pickling():
    problem = knapsack()
    assert problem.fingerprint
    copy = pickle.loads(pickle.dumps(problem))
    assert copy.fingerprint == problem.fingerprint and copy.name == "knapsack"
    for candidate in (problem, copy):
        for array in (candidate.c, candidate.lb, candidate.A.data, candidate.A_csc.data, candidate.binary):
            with pytest.raises(ValueError):
                array[0] = 7


def test_build_does_not_freeze_or_share_the_callers_arrays():
    costs = np.zeros(3)
    problem = knapsack(c=costs)
    costs[0] = 5.0
    assert problem.c[0] == 0.0


@pytest.mark.parametrize(
    "A",
    [
        sp.coo_matrix(([1.0, 2.0, 1.0], ([0, 0, 1], [1, 1, 2])), shape=(2, 3)),
        sp.csr_matrix(([1.0, 2.0], [1, 1], [0, 2, 2]), shape=(2, 3)),
        sp.csc_matrix(([1.0, 2.0], [0, 0], [0, 0, 2, 2]), shape=(2, 3)),
    ],
)
def test_a_second_entry_at_one_place_is_never_summed(A):
    with pytest.raises(InvalidProblem, match="two entries at row 0, column 1"):
        knapsack(A=A)


def test_explicit_zeros_are_dropped_and_indices_sorted():
    problem = knapsack(A=sp.csr_matrix(([1.0, 0.0, 2.0], [2, 1, 0], [0, 3, 3]), shape=(2, 3)))
    assert problem.validate().A.indices.tolist() == [0, 2]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"c": [1.0, np.nan, 0.0]}, "variable 'y'.*objective coefficient nan"),
        ({"A": [[1, np.inf, 1], [0, 1, 1]]}, "row 'capacity'.*variable 'y'.*inf"),
        ({"offset": np.inf}, "offset"),
        ({"lb": [0, 2, 0]}, "variable 'y'.*lower limit 2.*upper limit 1"),
        ({"lb": [0, np.nan, 0]}, "variable 'y'.*nan"),
        ({"lb": np.inf, "ub": np.inf}, "variable 'x'.*inf"),
        ({"row_lo": [4, 0]}, "row 'capacity'.*lower limit 4"),
        ({"row_hi": [np.nan, 0]}, "row 'capacity'.*nan"),
        ({"lb": [0.2, 0, 0], "ub": [0.8, 1, 1]}, "variable 'x'.*integer between"),
        ({"c": [1.0, 2.0]}, "c is no vector of 3"),
        ({"A": "text"}, "no matrix"),
        ({"var_names": ("x", "x", "z")}, "twice"),
        ({"row_names": ("a",)}, "row_names has 1"),
    ],
)
def test_bad_content_is_refused_by_name(change, message):
    with pytest.raises(InvalidProblem, match=message):
        knapsack(**change).validate()
