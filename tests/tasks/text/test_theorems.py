"""Theorems 2 to 4 of Scan and Snap: exact on the reduced dynamics, and where and when they hold on the gradient flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.text.synthetic import CoOccurrence
from runs.errors import SolverFailure
from solvers.base import Budget
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.one_layer_path import FollowedDynamics, Path, fitting_time
from solvers.dynamics.one_layer_transformer import GradientFlow, OneLayerDynamics, SelfAttentionDynamics
from tasks.text import theorems

ONE_COMMON = CoOccurrence(num_last=3, num_next_per_last=1, num_common=1, num_unique_per_next=5)
TOLERANCE = 1e-8


def follow(
    kind: type[OneLayerDynamics], data: CoOccurrence, eta_y: float = 1.0, eta_z: float = 1.0, end: float = 300.0
) -> Path:
    solver = FollowedDynamics(kind, FlowIntegrator(rtol=TOLERANCE, atol=1e-11))
    times = fitting_time(data, eta_y) * np.append(0.0, np.geomspace(1e-3, end, 120))
    return solver.follow(data, eta_y, eta_z, times)


VOCABULARIES = [
    ONE_COMMON,
    CoOccurrence(num_last=2, num_next_per_last=2, num_common=1),
    CoOccurrence(num_last=2, num_next_per_last=2, num_common=10),
    CoOccurrence(num_last=1, num_next_per_last=3, num_common=3, num_unique_per_next=4),
]


@pytest.mark.parametrize("data", VOCABULARIES)
@pytest.mark.parametrize("kind", [GradientFlow, SelfAttentionDynamics])
def test_theorem_2_holds_on_both_dynamics(kind: type[OneLayerDynamics], data: CoOccurrence) -> None:
    assert theorems.fates(follow(kind, data)) == {"distinct_rising": 1.0, "common_falling": 1.0}


@pytest.mark.parametrize("data", VOCABULARIES)
def test_theorem_3_holds_on_the_reduced_dynamics_to_the_integrators_tolerance(data: CoOccurrence) -> None:
    found = theorems.relative_gain(follow(SelfAttentionDynamics, data))
    assert found["growth_factor_spread"] < 1e-10
    assert found["relative_gain_error"] < 10 * TOLERANCE
    assert found["growth_bounds_hold"] == 1.0


def test_theorem_3_fails_on_the_gradient_flow_once_the_decoder_remembers_other_features() -> None:
    found = theorems.relative_gain(follow(GradientFlow, ONE_COMMON))
    assert found["growth_factor_spread"] > 0.5
    assert found["relative_gain_error"] > 0.5


def test_theorem_3_holds_on_the_gradient_flow_with_a_fast_decoder_until_it_has_fitted() -> None:
    spreads = []
    for eta_y in (1.0, 10.0, 100.0):
        path = follow(GradientFlow, ONE_COMMON, eta_y=eta_y, end=10)
        spreads.append(theorems.relative_gain(path.until(path.fitted_at))["growth_factor_spread"])
    assert spreads[0] > 5 * spreads[1] > 25 * spreads[2]
    assert spreads[2] < 0.01


def test_relative_gain_is_what_the_logits_alone_say_it_is() -> None:
    """r + 1 is (P_l / P_l')^2 exp(2 (z_l - z_l')) whatever the dynamics are."""
    path = follow(GradientFlow, ONE_COMMON)
    measured, _ = theorems.log_gains(path)
    P = ONE_COMMON.probabilities.numpy()[np.arange(3)[:, None], ONE_COMMON.distinct.numpy()]
    z = path.of_distinct(path.z)
    gain = (P[:, -1:] / P[:, :-1]) ** 2 * np.exp(2 * (z[..., -1:] - z[..., :-1])) - 1
    np.testing.assert_allclose(measured, np.log(gain / gain[0]), atol=1e-12)


def test_a_common_token_falls_as_its_classes_grow_where_all_classes_are_alike() -> None:
    """The exact form of what Theorem 4 supposes: dz_common/dt = -xi_n (1 - f_common^2)."""
    path = follow(SelfAttentionDynamics, ONE_COMMON)
    f, dz = path.f[1:, 0, 0], path.dz[1:, 0, 0]
    np.testing.assert_allclose(dz, -path.xi[1:, 0, 0] * (1 - f**2), rtol=1e-9)


def test_the_integral_of_the_growth_factor_is_its_integral() -> None:
    path = follow(SelfAttentionDynamics, ONE_COMMON)
    trapezoid = np.sum((path.xi[1:, 0, 0] + path.xi[:-1, 0, 0]) / 2 * np.diff(path.times))
    assert path.growth[-1, 0] == pytest.approx(trapezoid, rel=2e-3)


def test_theorem_4_closed_form_is_recovered_where_its_premise_is_made_true() -> None:
    """On a path whose common token obeys the premise by construction, the fit finds C_0, p = 4 and no error."""
    path = follow(SelfAttentionDynamics, ONE_COMMON)
    c0_inverse, pushed = 0.037, path.pushed
    growth = np.log1p(4 * c0_inverse * pushed) / 4
    z, dz = path.z.copy(), path.dz.copy()
    z[..., 0] = -growth
    dz[..., 0] = -c0_inverse * path.gamma * np.exp(4 * z[..., 0])
    made = theorems.snapping_metrics(replace(path, z=z, dz=dz, growth=growth))
    assert made["snap_constant_drift"] == pytest.approx(1, abs=1e-9)
    assert made["snap_exponent"] == pytest.approx(4, abs=1e-6)
    assert made["snap_form_error"] < 1e-4


def test_theorem_4_premise_of_a_constant_c0_fails_on_the_dynamics_themselves() -> None:
    found = theorems.snapping_metrics(follow(SelfAttentionDynamics, ONE_COMMON))
    assert found["snap_constant_drift"] > 2
    assert found["snapping_loglog_advantage"] > 0


def test_small_growth_is_quadratic_in_time_before_t0_and_nearer_to_ln_than_to_ln_ln_after() -> None:
    found = theorems.snapping_metrics(follow(SelfAttentionDynamics, ONE_COMMON, eta_z=0.01))
    assert found["scanning_growth"] < 0.01
    assert found["scanning_power"] == pytest.approx(2, abs=0.25)
    assert found["snapping_loglog_advantage"] < 0


def test_growth_before_t0_is_slower_than_linear_where_it_is_not_small() -> None:
    found = theorems.snapping_metrics(follow(GradientFlow, ONE_COMMON, eta_z=30, end=10))
    assert found["scanning_growth"] > 0.25
    assert found["scanning_power"] < 1


def test_several_common_tokens_have_no_closed_form() -> None:
    found = theorems.snapping_metrics(follow(SelfAttentionDynamics, VOCABULARIES[2]))
    assert "snap_form_error" not in found
    assert "snapping_loglog_r2" in found


def test_the_decoder_fits_at_k_ln_m_over_eta_y() -> None:
    paths = [follow(GradientFlow, ONE_COMMON, eta_y=eta_y, eta_z=0.1, end=10) for eta_y in (0.5, 2.0, 8.0)]
    found = theorems.fitting_times(paths)
    assert found["fitting_time_ratio"] == pytest.approx(1, abs=0.15)
    assert found["fitting_time_exponent"] == pytest.approx(-1, abs=0.05)


def test_scaling_both_rates_scales_time() -> None:
    slow, fast = (follow(GradientFlow, ONE_COMMON, eta, 2 * eta, end=10) for eta in (0.5, 2.0))
    np.testing.assert_allclose(slow.times, 4 * fast.times)
    np.testing.assert_allclose(slow.z, fast.z, atol=1e-6)


def test_a_path_that_its_budget_cuts_short_is_an_error_that_says_so() -> None:
    solver = FollowedDynamics(GradientFlow, FlowIntegrator())
    with pytest.raises(SolverFailure, match=r"evaluations, before time 500; raise task.budget"):
        solver.follow(ONE_COMMON, 1.0, 1.0, [0.0, 500.0], Budget(evaluations=50))
