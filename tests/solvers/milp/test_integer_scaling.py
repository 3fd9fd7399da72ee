"""Rational numbers to integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.milp.cpsat import CpSat
from solvers.milp.integer_scaling import integer_factor


@pytest.mark.parametrize(
    ("values", "factor"), [([1, -2, 0], 1), ([0.5, 0.25], 4), ([0.1, 0.2], 10), ([1 / 3, 0.5], 6), ([], 1), ([0.0], 1)]
)
def test_smallest_exact_factor(values, factor):
    assert integer_factor(np.array(values, float), 1e12) == factor


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
def test_factor_keeps_each_value_within_1e_6(values):
    array = np.array(values)
    factor = integer_factor(array, 2.0**58)
    assert np.allclose(np.rint(array * factor) / factor, array, rtol=1e-6, atol=0)


def test_no_factor_for_too_wide_a_range():
    assert integer_factor(np.array([np.pi * 1e-9, 1e9]), 2.0**40) is None
    assert integer_factor(np.array([1e30]), 2.0**60) is None


def test_cp_sat_names_what_it_cannot_take():
    rng = np.random.default_rng(0)
    wide = ILP.build([1.0, 1.0], [[np.pi * 1e-9, np.e * 1e12]], -np.inf, 1, 0, 1, True, row_names=["wide"])
    with pytest.raises(ConfigError, match="row 'wide'"):
        CpSat().solve(wide, budget=Budget(1), rng=rng)
    mixed = ILP.build([1.0, 1.0], [[1, 1]], -np.inf, 1, 0, 1, [True, False], var_names=["whole", "part"])
    with pytest.raises(ConfigError, match=r"variable 'part'.*continuous"):
        CpSat().solve(mixed, budget=Budget(1), rng=rng)
