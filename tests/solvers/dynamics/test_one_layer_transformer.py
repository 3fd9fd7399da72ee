"""The flow of the one-layer transformer: against finite differences, autograd, a brute-force state, and its invariants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError
from solvers.dynamics.flow import FlowIntegrator
from solvers.dynamics.one_layer_transformer import GradientFlow, OneLayerDynamics, SelfAttentionDynamics

SMALL = CoOccurrence(num_last=2, num_next_per_last=2, num_common=2, num_common_per_last=1, num_unique_per_next=3)
RATES = 0.7, 0.3


def objective(data: CoOccurrence, Y: torch.Tensor, Z: torch.Tensor, centred: bool = False) -> torch.Tensor:
    """J for T -> infinity, written from its definition over the whole M x M matrices."""
    c = (data.probabilities.log() + Z[data.last_token]).softmax(1)
    f = torch.nn.functional.layer_norm(c, c.shape[-1:]) if centred else c / c.norm(dim=1, keepdim=True)
    log_alpha = (f @ Y).log_softmax(1)
    return log_alpha[torch.arange(data.classes), data.next_token].mean()


def gradient(data: CoOccurrence, Y: np.ndarray, Z: np.ndarray, centred: bool = False) -> tuple[np.ndarray, np.ndarray]:
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (Y, Z)]
    found = torch.autograd.grad(objective(data, *tensors, centred=centred), tensors)
    return found[0].numpy(), found[1].numpy()


def parts(data: CoOccurrence, Y: np.ndarray, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns that the flow keeps."""
    context, queries = data.context_size, data.last_token.unique().numpy()
    return Y[:context], Z[queries, :context]


@pytest.mark.parametrize(
    "data", [SMALL, CoOccurrence(num_last=3, num_next_per_last=1, num_common=1), CoOccurrence(1, 2)]
)
@pytest.mark.parametrize("scale", [0.0, 0.3, 3.0])
def test_the_velocity_is_the_gradient_that_autograd_finds(data: CoOccurrence, scale: float) -> None:
    Y, Z = scale * np.random.default_rng(1).normal(size=(2, data.vocabulary_size, data.vocabulary_size))
    flow = GradientFlow(data, *RATES, start=(Y, Z))
    dY, dZ = flow.split(flow.velocity(0.0, flow.initial))
    grad_Y, grad_Z = parts(data, *gradient(data, Y, Z))
    np.testing.assert_allclose(dY, RATES[0] * grad_Y, atol=1e-14)
    np.testing.assert_allclose(dZ, RATES[1] * grad_Z, atol=1e-14)


def test_the_parts_that_the_flow_leaves_out_have_no_gradient() -> None:
    Y, Z = np.random.default_rng(2).normal(size=(2, SMALL.vocabulary_size, SMALL.vocabulary_size))
    grad_Y, grad_Z = gradient(SMALL, Y, Z)
    kept_Y, kept_Z = parts(SMALL, grad_Y, grad_Z)
    assert np.abs(grad_Y).sum() == pytest.approx(np.abs(kept_Y).sum(), rel=1e-14)
    assert np.abs(grad_Z).sum() == pytest.approx(np.abs(kept_Z).sum(), rel=1e-14)


def test_the_velocity_is_the_slope_of_the_objective_by_finite_differences() -> None:
    M, step = SMALL.vocabulary_size, 1e-6
    Y, Z = np.random.default_rng(3).normal(size=(2, M, M))
    flow = GradientFlow(SMALL, 1.0, 1.0, start=(Y, Z))
    dY, dZ = flow.split(flow.velocity(0.0, flow.initial))

    def value(Y: np.ndarray, Z: np.ndarray) -> float:
        return float(objective(SMALL, torch.tensor(Y), torch.tensor(Z)))

    queries = SMALL.last_token.unique().numpy()
    for row, column in np.random.default_rng(4).integers(0, SMALL.context_size, (20, 2)):
        bump = np.zeros((M, M))
        bump[row, column] = step
        assert dY[row, column] == pytest.approx((value(Y + bump, Z) - value(Y - bump, Z)) / (2 * step), abs=1e-8)
        query = row % SMALL.num_last
        bump = np.zeros((M, M))
        bump[queries[query], column] = step
        assert dZ[query, column] == pytest.approx((value(Y, Z + bump) - value(Y, Z - bump)) / (2 * step), abs=1e-8)


def test_tokens_that_are_never_next_may_share_a_column() -> None:
    M = SMALL.vocabulary_size
    merged, whole = GradientFlow(SMALL, *RATES), GradientFlow(SMALL, *RATES, start=(np.zeros((M, M)), np.zeros((M, M))))
    times = np.linspace(0, 60, 7)
    a, b = (FlowIntegrator().integrate(flow, times) for flow in (merged, whole))
    for left, right in zip(a.states, b.states, strict=True):
        (Y, Z), (whole_Y, whole_Z) = merged.split(left), whole.split(right)
        np.testing.assert_allclose(Z, whole_Z, atol=1e-8)
        np.testing.assert_allclose(Y[:, :-1], whole_Y[:, SMALL.next_token], atol=1e-8)
        np.testing.assert_allclose(Y[:, -1], whole_Y[:, 0], atol=1e-8)


def test_the_objective_never_falls_along_the_gradient_flow() -> None:
    flow = GradientFlow(SMALL, 1.0, 2.0)
    found = FlowIntegrator().integrate(flow, np.linspace(0, 300, 40))
    J = [np.log(flow.observe(state).alpha[np.arange(4), np.arange(4)]).mean() for state in found.states]
    assert J[0] == pytest.approx(-np.log(SMALL.vocabulary_size))
    assert np.all(np.diff(J) > 0)


@settings(max_examples=25)
@given(
    data=st.builds(
        CoOccurrence,
        num_last=st.integers(1, 3),
        num_next_per_last=st.integers(1, 3),
        num_common=st.integers(0, 3),
        num_common_per_last=st.integers(0, 2),
        num_unique_per_next=st.integers(1, 4),
        common_weight=st.floats(0.1, 5),
    ),
    seed=st.integers(0, 1000),
    kind=st.sampled_from([GradientFlow, SelfAttentionDynamics]),
)
def test_features_are_unit_vectors_and_attention_moves_across_them(
    data: CoOccurrence, seed: int, kind: type[OneLayerDynamics]
) -> None:
    dynamics = kind(data, *RATES)
    state = np.random.default_rng(seed).normal(size=dynamics.initial.shape)
    moment = dynamics.observe(state)
    np.testing.assert_allclose((moment.f**2).sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(moment.c.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(moment.alpha.sum(1), 1, rtol=1e-12)
    # the projection of the normalisation: a shift of all logits of a query does nothing, so they move at zero sum
    first = data.query.numpy() == 0
    np.testing.assert_allclose(moment.dz[first][0].sum(), 0, atol=1e-12)


def test_both_dynamics_leave_the_origin_together() -> None:
    """The reduction is exact to leading order in time, so their difference vanishes faster than the path."""
    gaps = []
    for end in (1.0, 0.1):
        times = np.array([0.0, end])
        logits = []
        for kind in (GradientFlow, SelfAttentionDynamics):
            dynamics = kind(SMALL, 1.0, 1.0)
            found = FlowIntegrator(rtol=1e-12, atol=1e-18).integrate(dynamics, times)
            logits.append(dynamics.attention_logits(found.states[-1]))
        gaps.append(np.abs(logits[0] - logits[1]).max() / np.abs(logits[1]).max())
    assert gaps[0] < 0.02
    assert gaps[1] < gaps[0] / 50


def growth_factors(data: CoOccurrence, dz: np.ndarray, centred: bool) -> np.ndarray:
    """(K, U) dz / f^2 from Z = 0."""
    c = data.probabilities.numpy()
    f = c - c.mean(1, keepdims=True) if centred else c
    f = f / np.linalg.norm(f, axis=1, keepdims=True)
    rows = data.last_token.numpy()[:, None]
    distinct = data.distinct.numpy()
    return dz[rows, distinct] / np.take_along_axis(f, distinct, 1) ** 2


def test_with_the_layer_norm_of_torch_distinct_tokens_do_not_share_a_growth_factor() -> None:
    """Broken on purpose: centring makes every token a common one."""
    data = CoOccurrence(num_last=3, num_next_per_last=1, num_common=1)
    spread = {}
    for centred in (False, True):
        M = data.vocabulary_size
        Y = 1e-3 * gradient(data, np.zeros((M, M)), np.zeros((M, M)), centred)[0]  # a short while after the origin
        _, dz = gradient(data, Y, np.zeros((M, M)), centred)
        xi = growth_factors(data, dz, centred)
        spread[centred] = np.max(np.ptp(xi, axis=1) / np.abs(xi).max(1))
    assert spread[False] < 1e-9
    assert spread[True] > 0.5


def test_bad_rates_and_starts_are_named() -> None:
    with pytest.raises(ConfigError, match="eta_y is 0"):
        GradientFlow(SMALL, 0, 1)
    with pytest.raises(ConfigError, match="eta_z is nan"):
        SelfAttentionDynamics(SMALL, 1, float("nan"))
    with pytest.raises(ConfigError, match=r"Z has the shape \(3, 3\)"):
        GradientFlow(SMALL, 1, 1, start=(np.zeros((SMALL.vocabulary_size,) * 2), np.zeros((3, 3))))
