"""Every rule against a closed form or finite differences of the loss that it is the gradient of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from runs.errors import ConfigError
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.differentiable.rules.blackbox_smoothed import BlackboxSmoothed
from solvers.differentiable.rules.identity import Identity
from solvers.differentiable.rules.imle import Imle
from solvers.differentiable.rules.interpolation import Changed, Largest
from solvers.differentiable.rules.noise import SumOfGamma
from solvers.differentiable.rules.pass_through import PassThrough
from solvers.differentiable.rules.perturbed import Perturbed
from solvers.differentiable.rules.rule import Rule
from solvers.differentiable.rules.spo_plus import SpoPlus
from tests.solvers.differentiable.selections import Cheapest, Selection

PROBLEM = Selection.random(0)
RULES: dict[str, Callable[[], Rule]] = {
    "blackbox": lambda: Blackbox(2.0),
    "blackbox_clipped": lambda: Blackbox(2.0, floor=0.0),
    "blackbox_changed": lambda: Blackbox(Changed(2)),
    "blackbox_largest": lambda: Blackbox(Largest(1.0)),
    "central": lambda: BlackboxSmoothed(Largest(2.0), copies=3, central=True),
    "identity": lambda: Identity(centre=True, normalise=True),
    "imle": lambda: Imle(2.0, k=3),
    "pass_through": PassThrough,
    "perturbed": Perturbed,
    "smoothed": lambda: BlackboxSmoothed(2.0, copies=3),
    "spo_plus": SpoPlus,
}


def batch(rows: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, OracleCalls]:
    """Costs, the oracle's answers, slopes there, and the oracle."""
    oracle = OracleCalls(Cheapest(), PROBLEM)
    costs = np.random.default_rng(seed).normal(size=(rows, PROBLEM.variables))
    x = oracle(costs)
    return costs, x, PROBLEM.query(x).gradients, oracle


def generators(rows: int) -> list[np.random.Generator]:
    return [np.random.default_rng([7, row]) for row in range(rows)]


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_batch_is_the_same_as_its_rows_one_by_one(name: str) -> None:
    costs, x, slopes, oracle = batch(5)
    rule = RULES[name]()
    together = rule.gradient(costs, x, slopes, oracle, generators(5))
    rngs = generators(5)
    one_by_one = [rule.gradient(costs[[i]], x[[i]], slopes[[i]], oracle, [rngs[i]])[0] for i in reversed(range(5))][
        ::-1
    ]
    np.testing.assert_array_equal(together, one_by_one)


@pytest.mark.parametrize("name", sorted(RULES.keys() - {"spo_plus"}))
def test_where_the_loss_is_flat_the_gradient_is_zero(name: str) -> None:
    costs, x, slopes, oracle = batch(2)
    assert not RULES[name]().gradient(costs, x, 0 * slopes, oracle, generators(2)).any()


def differences(loss: Callable[[np.ndarray], Any], costs: np.ndarray, step: float = 1e-6) -> np.ndarray:
    moves = step * np.eye(len(costs))
    return np.array([(loss(costs + move) - loss(costs - move)) / (2 * step) for move in moves])


def interpolated(costs: np.ndarray, slope: np.ndarray, strength: float) -> float:
    """The piecewise affine interpolation of the loss G'x: that of the target's answer, and what its costs differ by."""
    ask = OracleCalls(Cheapest(), PROBLEM)
    target, answer = ask(np.stack([costs + strength * slope, costs]))
    return float(slope @ target + costs @ (target - answer) / strength)


def test_blackbox_is_the_gradient_of_the_interpolated_loss() -> None:
    costs, x, slopes, oracle = batch(3)
    found = Blackbox(2.0).gradient(costs, x, slopes, oracle, [])
    for row in range(3):
        expected = differences(partial(interpolated, slope=slopes[row], strength=2.0), costs[row])
        np.testing.assert_allclose(found[row], expected, atol=1e-8)
    assert found.any() and oracle.calls == 3 + 3


def test_blackbox_clips_the_moved_costs() -> None:
    costs, x, slopes, _ = batch(3)
    asked = []

    class Spy(Cheapest):
        def solve(self, costs: np.ndarray, problem: Any) -> Vertices:
            asked.append(costs)
            return super().solve(costs, problem)

    Blackbox(2.0, floor=0.0).gradient(np.abs(costs), x, slopes, OracleCalls(Spy(), PROBLEM), [])
    assert np.concatenate(asked).min() == 0.0


@pytest.mark.parametrize("name", ["imle", "smoothed"])
def test_smoothed_rules_are_gradients_of_the_mean_interpolated_loss(name: str) -> None:
    costs, x, slopes, oracle = batch(1)
    rng = np.random.default_rng(3)
    noise = -SumOfGamma(3)(rng, (4, 8)) if name == "imle" else 0.5 * rng.standard_normal((4, 8))
    rule = Imle(2.0, k=3, copies=4) if name == "imle" else BlackboxSmoothed(2.0, copies=4, sigma=0.5)
    scale = 2.0 if name == "imle" else 1.0
    found = rule.gradient(costs, x, slopes, oracle, [np.random.default_rng(3)])[0]
    expected = differences(lambda c: scale * np.mean([interpolated(c + e, slopes[0], 2.0) for e in noise]), costs[0])
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_central_differences_average_both_sides() -> None:
    costs, x, slopes, oracle = batch(2)
    central = BlackboxSmoothed(2.0, copies=4, central=True).gradient(costs, x, slopes, oracle, generators(2))
    ahead = BlackboxSmoothed(2.0, copies=4).gradient(costs, x, slopes, oracle, generators(2))
    behind = BlackboxSmoothed(2.0, copies=4).gradient(costs, x, -slopes, oracle, generators(2))
    np.testing.assert_allclose(central, (ahead - behind) / 2, atol=1e-14)


class Signs(LinearOracle):
    """The corner of the unit cube that costs least."""

    def solve(self, costs: np.ndarray, problem: Any) -> Vertices:
        return Vertices((costs < 0).astype(float), np.ones(len(costs), bool))


def test_perturbed_estimates_the_derivative_of_the_expected_answer() -> None:
    costs, slopes = np.array([[0.3, -0.5, 0.0]]), np.array([[1.0, -2.0, 0.5]])
    rule = Perturbed(copies=40_000, sigma=0.8)
    oracle = OracleCalls(Signs(), None)
    found = rule.gradient(costs, oracle(costs), slopes, oracle, [np.random.default_rng(0)])
    np.testing.assert_allclose(found, -slopes * norm.pdf(costs / 0.8) / 0.8, atol=0.03)


def test_identity_is_the_derivative_of_its_projection() -> None:
    costs, x, slopes, oracle = batch(2)

    def projected(c: np.ndarray) -> np.ndarray:
        centred = c - c.mean()
        return np.asarray(centred / np.linalg.norm(centred))

    found = Identity(centre=True, normalise=True).gradient(costs, x, slopes, oracle, [])
    for row in range(2):
        expected = [-slopes[row] @ column for column in differences(projected, costs[row])]
        np.testing.assert_allclose(found[row], expected, atol=1e-8)
    np.testing.assert_array_equal(Identity().gradient(costs, x, slopes, oracle, []), -slopes)
    np.testing.assert_array_equal(PassThrough().gradient(costs, x, slopes, oracle, []), -slopes)


def test_spo_plus_is_the_gradient_of_its_loss_and_zero_where_the_true_optimum_is_safe() -> None:
    costs, x, slopes, oracle = batch(1)
    true = np.random.default_rng(5).normal(size=8)

    def loss(c: np.ndarray) -> float:
        best = PROBLEM.vertices[np.argmin(PROBLEM.vertices @ true)]
        return float(((PROBLEM.vertices @ (true - 2 * c)).max()) + 2 * c @ best - true @ best)

    found = SpoPlus(true).gradient(costs, x, slopes, oracle, [])
    np.testing.assert_allclose(found[0], differences(loss, costs[0]), atol=1e-8)
    assert not SpoPlus(true).gradient(true[None], x, slopes, oracle, []).any()


def test_lambda_is_chosen_by_the_largest_change_of_a_cost() -> None:
    costs, x, slopes, oracle = batch(4)
    strengths = Largest(0.5).strengths(costs, x, slopes, oracle)
    np.testing.assert_allclose(np.abs(strengths[:, None] * slopes).max(axis=1), 0.5)


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_lambda_is_chosen_by_the_number_of_changed_variables(size: float) -> None:
    costs, x, slopes, oracle = batch(6)
    strengths = Changed(2, size=size, tries=25).strengths(costs, x, slopes, oracle)

    def changed(strengths: np.ndarray) -> np.ndarray:
        return np.count_nonzero(oracle(costs + strengths[:, None] * slopes) != x, axis=1)

    reached = changed(strengths) >= 2
    assert reached.sum() >= 4
    assert (changed(0.9 * strengths)[reached] < 2).all()


def test_sum_of_gamma_of_k_has_the_moments_of_its_parts() -> None:
    drawn = SumOfGamma(3, terms=10)(np.random.default_rng(0), (20_000, 1)).ravel()
    weights = 1 / np.arange(1, 11)
    assert drawn.mean() == pytest.approx((weights.sum() - np.log(10)) / 3, abs=0.01)
    assert drawn.var() == pytest.approx((weights**2).sum() / 3, rel=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blackbox(0.0), r"rule\.interpolation is 0\.0; it must be above 0"),
        (lambda: Blackbox(-1.0), r"rule\.interpolation is -1\.0"),
        (lambda: Blackbox(float("nan")), r"rule\.interpolation is nan"),
        (lambda: Blackbox(Largest(0)), r"rule\.interpolation\.size is 0"),
        (lambda: Blackbox(Changed(0)), r"rule\.interpolation\.variables is 0"),
        (lambda: BlackboxSmoothed(1.0, copies=0), r"rule\.copies is 0"),
        (lambda: BlackboxSmoothed(1.0, sigma=0.0), r"rule\.sigma is 0\.0"),
        (lambda: Imle(0.0, 2), r"rule\.interpolation is 0\.0"),
        (lambda: Imle(1.0, 0), r"rule\.k is 0"),
        (lambda: Perturbed(sigma=-1.0), r"rule\.sigma is -1\.0"),
        (lambda: Perturbed(copies=0), r"rule\.copies is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(make: Callable[[], Rule], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
