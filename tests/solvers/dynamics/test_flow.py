"""Integration of flows: against closed forms, within budgets, stopped by signals."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from runs import interrupt
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget
from solvers.dynamics.flow import METHODS, FlowIntegrator, WithIntegrals


class Oscillator:
    initial = np.array([1.0, 0.0])

    def velocity(self, time: float, state: np.ndarray) -> np.ndarray:
        return np.array([state[1], -state[0]])


class Blowup:
    """dx/dt = x^2 from 1: infinite at time 1."""

    initial = np.array([1.0])

    def velocity(self, time: float, state: np.ndarray) -> np.ndarray:
        return state**2


class Slow(Oscillator):
    def velocity(self, at: float, state: np.ndarray) -> np.ndarray:
        time.sleep(0.002)
        return super().velocity(at, state)


class Signalled(Oscillator):
    calls = 0

    def velocity(self, time: float, state: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls == 100:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().velocity(time, state)


@pytest.mark.parametrize("method", METHODS)
def test_snapshots_and_the_interpolant_of_an_oscillator_are_cosines(method: str) -> None:
    times = np.linspace(0, 6, 7)
    found = FlowIntegrator(method, rtol=1e-6, atol=1e-9).integrate(Oscillator(), times, dense=True)
    assert found.complete
    np.testing.assert_array_equal(found.times, times)
    np.testing.assert_allclose(found.states[:, 0], np.cos(times), atol=1e-3)
    assert found.interpolant is not None
    assert found.interpolant(2.5)[0] == pytest.approx(np.cos(2.5), abs=1e-3)


def test_the_error_falls_with_the_tolerance() -> None:
    errors = []
    for rtol in (1e-4, 1e-7, 1e-10):
        found = FlowIntegrator(rtol=rtol, atol=rtol).integrate(Oscillator(), np.array([0.0, 20.0]))
        errors.append(abs(found.states[-1, 0] - np.cos(20.0)))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-8


def test_integrals_along_the_path_are_as_exact_as_the_path() -> None:
    flow = WithIntegrals(Oscillator(), lambda time, state, velocity: np.array([state[0], time, velocity[0] ** 2]))
    times = np.linspace(0, 3, 5)
    found = FlowIntegrator(rtol=1e-10, atol=1e-12).integrate(flow, times)
    states, integrals = flow.split(found.states)
    np.testing.assert_allclose(states[:, 0], np.cos(times), atol=1e-9)
    exact = np.stack([np.sin(times), times**2 / 2, times / 2 - np.sin(2 * times) / 4], axis=1)
    np.testing.assert_allclose(integrals, exact, atol=1e-9)


def test_a_budget_of_evaluations_ends_the_path_after_the_step_that_spends_it() -> None:
    times = np.linspace(0, 1000, 1001)
    found = FlowIntegrator().integrate(Oscillator(), times, budget=Budget(evaluations=500))
    assert not found.complete
    assert 500 <= found.evaluations <= 500 + 16
    assert 0 < len(found.times) < len(times)
    np.testing.assert_allclose(found.states[:, 0], np.cos(found.times), atol=1e-6)


@pytest.mark.parametrize("budget", [Budget(evaluations=0), Budget(seconds=0)])
def test_a_budget_of_nothing_ends_the_path_after_its_first_step(budget: Budget) -> None:
    found = FlowIntegrator().integrate(Oscillator(), np.array([0.0, 1e6]), budget=budget)
    assert not found.complete
    assert found.evaluations < 50


def test_a_budget_of_seconds_ends_the_path() -> None:
    found = FlowIntegrator().integrate(Slow(), np.array([0.0, 1e6]), budget=Budget(seconds=0.2))
    assert not found.complete
    assert len(found.times) == 1


def test_a_signal_ends_the_path_with_what_was_reached() -> None:
    interrupt.clear()
    try:
        found = FlowIntegrator().integrate(Signalled(), np.linspace(0, 1e6, 10_001))
        assert not found.complete
        with pytest.raises(interrupt.Interrupted):
            interrupt.check()
    finally:
        interrupt.clear()


def test_a_flow_that_blows_up_is_a_failure_that_says_where() -> None:
    with pytest.raises(SolverFailure, match=r"Blowup.*(time 1|not finite)"):
        FlowIntegrator().integrate(Blowup(), np.array([0.0, 2.0]))


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.0], [1.0, 0.0], [0.0, np.inf], [[0.0, 1.0]]])
def test_times_that_do_not_increase_are_refused(times: list[float]) -> None:
    with pytest.raises(ConfigError, match="increasing order"):
        FlowIntegrator().integrate(Oscillator(), np.array(times))


@pytest.mark.parametrize(("setting", "value"), [("method", "Euler"), ("rtol", 0.0), ("atol", -1.0), ("rtol", np.nan)])
def test_bad_settings_are_named(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"solver.{setting}"):
        FlowIntegrator(**{setting: value})  # type: ignore[arg-type]
