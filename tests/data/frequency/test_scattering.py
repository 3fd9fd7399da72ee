"""Tables of S-parameters: names, dB, bounds, and what is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import numpy as np
import pytest

from data.frequency.decibels import amplitude, decibels
from data.frequency.grid import SPEED_OF_LIGHT, checked, wavelength_of
from data.frequency.scattering import Bound, ScatteringTable, parameter
from runs.errors import ConfigError

TABLE = ScatteringTable(np.array([1e9, 2e9, 4e9]), ("S11", "S21"), np.array([[0.1, 1j], [0.01, 0.5], [0.0, -0.1]]))


def test_decibels_are_of_the_power_and_have_an_inverse() -> None:
    assert decibels(np.array([1, 0.1, -1j, 0])).tolist() == [0, -20, 0, -300]
    assert amplitude(float(decibels(np.array(0.37)))) == pytest.approx(0.37)


def test_parameters_are_named_out_before_in() -> None:
    assert (parameter(2, 1), parameter(12, 1)) == ("S21", "S12,1")


def test_wavelengths_in_any_order_become_rising_frequencies() -> None:
    table = ScatteringTable.at_wavelengths([1.0, 3.0, 2.0], ["S11"], np.array([[1], [3], [2]]))
    assert table.frequencies == pytest.approx(SPEED_OF_LIGHT / np.array([3.0, 2.0, 1.0]))
    assert table.values.reshape(-1).tolist() == [3, 2, 1]
    assert wavelength_of(np.asarray(wavelength_of(7.0))) == pytest.approx(7.0)


def test_a_bound_counts_the_worst_frequency_within_it() -> None:
    assert TABLE.excess(Bound("S11", 1e9, 4e9, at_most=-30.0)) == pytest.approx(10)
    assert TABLE.excess(Bound("S11", 2e9, 4e9, at_most=-30.0)) == pytest.approx(-10)
    assert TABLE.excess(Bound("S21", 1e9, 2e9, at_least=-3.0)) == pytest.approx(20 * np.log10(2) - 3)


def test_the_file_has_a_line_for_each_frequency() -> None:
    rows = list(csv.DictReader(io.StringIO(TABLE.csv())))
    assert [float(row["frequency_hz"]) for row in rows] == [1e9, 2e9, 4e9]
    assert float(rows[1]["S21_db"]) == pytest.approx(-6.0206, abs=1e-4)
    assert (rows[0]["S21_real"], rows[0]["S21_imag"]) == ("0", "1")
    assert float(rows[0]["wavelength_nm"]) == pytest.approx(SPEED_OF_LIGHT)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: checked([2e9, 1e9]), r"frequencies are \[2000000000.0, 1000000000.0\]; expected rising"),
        (lambda: checked([0.0, 1e9]), "above 0"),
        (lambda: checked([]), "expected rising"),
        (lambda: Bound("S11", 1e9, 2e9), "a bound of S11 has at_most or at_least"),
        (lambda: Bound("S11", 2e9, 1e9, at_most=-10), "S11 is from 2e\\+09 to 1e\\+09 Hz"),
        (
            lambda: ScatteringTable(np.array([1e9]), ("S11",), np.zeros((2, 1))),
            r"shape \(2, 1\); expected 1 frequencies",
        ),
        (lambda: ScatteringTable(np.array([1e9]), ("S11",), np.array([[np.nan]])), "S11 is not finite at 1e\\+09 Hz"),
        (lambda: TABLE.decibels("S31"), "there is no S31; there are S11, S21"),
        (lambda: TABLE.excess(Bound("S11", 5e9, 6e9, at_most=-10)), "no frequency lies between 5e\\+09 and 6e\\+09"),
    ],
)
def test_what_does_not_fit_is_named(refused: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        refused()
