"""The generator of designs against its definition, an independent check, and the exact integer program."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.brush_recomputed import recomputed
from data.photonics.brush import FREE, BrushRule, disc, judge, notched_square, unpainted
from runs.errors import InvalidProblem, MissingDependency, SolverFailure
from solvers.milp.linear_oracle import MilpOracle
from solvers.photonics.brushed import Brushed
from solvers.photonics.exact import ExactBrush
from solvers.photonics.generator import BrushGenerator, generate

pytest.importorskip("numba", reason="numba is not installed: the extra 'photonics' brings it")

CROSS = notched_square(3, 1)
BRUSHES = {"cross": CROSS, "disc": disc(5), "square": notched_square(3), "point": notched_square(1)}
GENERATOR = BrushGenerator(ExactBrush(MilpOracle()))


@dataclass(frozen=True, eq=False)
class Canvas:
    rule: BrushRule
    name: str = "canvas"


def drawn(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(-1, 2, shape).astype(float)
    return np.full(shape, rng.normal()) if kind == "constant" else rng.normal(size=shape)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(BRUSHES)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from(["constant", "noise", "ties"]),
    st.integers(0, 10**6),
)
def test_designs_are_those_of_the_definition_and_the_brush_can_paint_them(
    brush: str, shape: tuple[int, int], kind: str, seed: int
) -> None:
    rule, reward = BrushRule(shape, BRUSHES[brush]), drawn(kind, shape, seed)
    (design,), (done,) = generate(reward[None], rule)
    assert done
    assert (design == recomputed(reward, rule.brush)).all()
    assert not unpainted(design, rule.brush).any()
    for sign in (1, -1):  # what can be painted is the answer to the costs that wish for it
        x = design if sign > 0 else ~design
        found = GENERATOR.solve((1.0 - 2 * x).reshape(1, -1), Canvas(rule))
        assert (found.x[0] == x.reshape(-1)).all() and found.exact[0]


def test_a_batch_is_its_rows_and_not_said_to_be_exact() -> None:
    costs = np.random.default_rng(0).normal(size=(5, 81))
    canvas = Canvas(BrushRule((9, 9), CROSS))
    together = GENERATOR.solve(costs, canvas)
    assert (together.x == np.concatenate([GENERATOR.solve(row[None], canvas).x for row in costs])).all()
    assert not together.exact.any()


def test_the_integer_program_finds_the_cheapest_of_all_designs() -> None:
    rule = BrushRule((3, 4), CROSS)
    designs = np.array(list(itertools.product((0, 1), repeat=12)))
    feasible = designs[[rule.is_kept(design.reshape(3, 4) == 1) for design in designs]]
    costs = np.random.default_rng(1).normal(size=(6, 12))
    found = ExactBrush(MilpOracle()).solve(costs, Canvas(rule))
    assert (costs * found.x).sum(1) == pytest.approx((costs @ feasible.T).min(1))
    greedy = GENERATOR.solve(costs, Canvas(rule)).x
    assert ((costs * greedy).sum(1) >= (costs * found.x).sum(1) - 1e-9).all()


def test_fixed_pixels_are_kept_and_what_cannot_be_is_refused() -> None:
    fixed = np.full((6, 6), FREE)
    fixed[0, :3], fixed[5, 3:] = 1, 0
    canvas = Canvas(BrushRule((6, 6), CROSS, fixed))
    GENERATOR.check(canvas)
    costs = np.random.default_rng(2).normal(size=(8, 36))
    for x in GENERATOR.solve(costs, canvas).x:
        assert canvas.rule.is_kept(x.reshape(6, 6) == 1)
    apart = np.where(np.indices((6, 6)).sum(0) % 2, 1, 0)
    with pytest.raises(InvalidProblem, match="is fixed to"):
        GENERATOR.check(Canvas(BrushRule((6, 6), CROSS, apart)))


def test_pixels_that_are_fixed_as_in_some_design_are_always_met_with_the_exact_oracle_at_hand() -> None:
    rule, alone, given_up = BrushRule((6, 6), CROSS), BrushGenerator(), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        (design,), _ = generate(rng.normal(size=(1, 6, 6)), rule)
        fixed = np.where(rng.random((6, 6)) < 0.3, design, FREE)
        canvas, costs = Canvas(BrushRule((6, 6), CROSS, fixed)), rng.normal(size=(1, 36))
        try:
            x = alone.solve(costs, canvas).x[0]
        except SolverFailure as failure:
            assert "met no design with all fixed pixels; give it solver.oracle.exact" in str(failure)
            given_up += 1
            x = GENERATOR.solve(costs, canvas).x[0]
        assert canvas.rule.is_kept(x.reshape(6, 6) == 1)
    assert given_up


def test_costs_that_are_no_numbers_are_named_by_their_pixel() -> None:
    costs = np.zeros((1, 12))
    costs[0, 7] = np.nan
    with pytest.raises(InvalidProblem, match=r"canvas: the cost of pixel \(1, 3\) is nan"):
        GENERATOR.solve(costs, Canvas(BrushRule((3, 4), CROSS)))


def test_without_numba_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    with pytest.raises(MissingDependency, match="extra 'photonics'"):
        generate(np.zeros((1, 3, 3)), BrushRule((3, 3), CROSS))


def test_brushed_costs_have_the_derivative_of_finite_differences() -> None:
    canvas = Canvas(BrushRule((4, 5), np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], bool)))
    rng = np.random.default_rng(3)
    latent, gradient = rng.normal(size=20), rng.normal(size=20)
    brushed = Brushed(2.0)
    steps = 1e-6 * np.eye(20)
    ahead, behind = (brushed.costs(latent + sign * steps, canvas) @ gradient for sign in (1, -1))
    assert brushed.pullback(latent, gradient, canvas) == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-8)
    assert brushed.costs(np.full(20, 9.0), Canvas(BrushRule((4, 5), CROSS))).max() < -0.99


def test_a_design_may_keep_the_rule_alone_and_break_it_beside_its_surroundings() -> None:
    from data.photonics.brush import Surroundings

    design = np.zeros((5, 5), bool)
    design[:, :2] = True
    around = Surroundings(np.zeros((7, 7), bool), (1, 1))
    alone, within = judge(design, notched_square(3), around)
    assert not alone.any()
    assert within is not None and within.any()
