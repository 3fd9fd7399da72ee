"""The verdict on each claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runs.claims.claim import Claim
from runs.claims.verdicts import CLAIM_COLUMNS, Verdict, evaluate, to_frame
from runs.record.sweep_folder import load

EXPERIMENT = "lb_relax/table_small"


def claim(**changes: Any) -> Claim:
    base: dict[str, Any] = {"paper": "lb_relax", "id": "c1", "statement": "s", "source": "t", "metric": "cost"}
    base |= {"better": "lower", "ours": "ours", "against": ("theirs",), "experiment": EXPERIMENT}
    return Claim(**(base | changes))


def write_costs(sweep, costs: dict[str, float], instances: int = 12, seeds: int = 3, noise: float = 0.1) -> None:
    for method, cost in costs.items():
        for seed in range(seeds):
            rng = np.random.default_rng([len(method), seed])
            metrics = {f"ca/{i}": {"cost": cost + i + noise * rng.normal()} for i in range(instances)}
            sweep.run(method, seed, dataset="ca", metrics=metrics)


@pytest.mark.parametrize("kind", ["wilcoxon", "bootstrap", "t"])
@pytest.mark.parametrize("over", ["instances", "seeds"])
@pytest.mark.parametrize(
    ("better", "status", "effect"), [("lower", Verdict.REPRODUCED, 1.0), ("higher", Verdict.CONTRADICTED, -1.0)]
)
def test_a_clear_difference_is_reproduced_or_contradicted_by_every_test(
    sweep, kind: str, over: str, better: str, status: Verdict, effect: float
) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0}, seeds=8)
    (judged,) = evaluate(load(sweep.folder), [claim(kind=kind, over=over, better=better)], EXPERIMENT)
    assert judged.status == status
    assert judged.effect.mean == pytest.approx(effect, abs=0.1)
    assert judged.effect.n == (12 if over == "instances" else 8)
    assert judged.effect.low < judged.effect.mean < judged.effect.high  # type: ignore[operator]


def test_noise_alone_is_inconclusive(sweep) -> None:
    write_costs(sweep, {"ours": 10.0, "theirs": 10.0}, noise=1.0)
    (judged,) = evaluate(load(sweep.folder), [claim()], EXPERIMENT)
    assert judged.status == Verdict.INCONCLUSIVE


def test_three_seeds_are_named_as_too_few_for_a_bootstrap_while_a_t_test_decides(sweep) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0})
    by = {kind: claim(id=kind, kind=kind, over="seeds") for kind in ("bootstrap", "t")}
    boot, t = evaluate(load(sweep.folder), by.values(), EXPERIMENT)
    assert boot.status == Verdict.INCONCLUSIVE
    assert "too few" in boot.reason
    assert t.status == Verdict.REPRODUCED


def test_the_effect_must_exceed_the_minimal_effect_absolute_or_relative(sweep) -> None:
    write_costs(sweep, {"ours": 90.0, "theirs": 100.0})
    cases = {"5": (5.0, False), "15": (15.0, False), "5 %": (0.05, True), "15 %": (0.15, True), "-1": (-1.0, False)}
    claims = [claim(id=name, minimal_effect=least, relative=relative) for name, (least, relative) in cases.items()]
    verdicts = {j.claim.id: j.status for j in evaluate(load(sweep.folder), claims, EXPERIMENT)}
    assert verdicts == {
        "5": Verdict.REPRODUCED,
        "15": Verdict.CONTRADICTED,
        "5 %": Verdict.REPRODUCED,
        "15 %": Verdict.CONTRADICTED,
        "-1": Verdict.REPRODUCED,
    }


def test_every_opponent_must_be_beaten_and_the_weakest_comparison_is_shown(sweep) -> None:
    write_costs(sweep, {"ours": 9.0, "poor": 20.0, "near": 9.5, "best": 5.0})
    claims = [claim(id="both", against=("poor", "near")), claim(id="all", against=("poor", "near", "best"))]
    both, every = evaluate(load(sweep.folder), claims, EXPERIMENT)
    assert (both.status, every.status) == (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    assert both.effect.mean == pytest.approx(0.5, abs=0.1)
    assert "best" in every.reason


def test_methods_with_controls_are_compared_by_what_they_gain_over_them(sweep) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0, "our control": 12.0, "their control": 15.0})
    controls = {"ours": "our control", "theirs": "their control"}
    asked = [claim(kind="t", over=over, id=over, controls=controls) for over in ("seeds", "instances")]
    half = claim(id="half", controls={"theirs": "their control"}, better="higher")
    missing = claim(id="missing", controls={"ours": "none"})
    seeds, instances, half, missing = evaluate(load(sweep.folder), [*asked, half, missing], EXPERIMENT)
    assert {seeds.status, instances.status} == {Verdict.CONTRADICTED}, "ours costs less, and saves less"
    assert seeds.effect.mean == pytest.approx(instances.effect.mean) == pytest.approx(-2.0, abs=0.1)
    assert half.effect.mean == pytest.approx(9.0 + 5.0 + 5.5, abs=0.1), "ours as it is, 5.5 the mean of the instances"
    assert "method 'none'" in missing.reason


def test_a_number_can_be_the_opponent(sweep) -> None:
    write_costs(sweep, {"ours": 1.0})
    (judged,) = evaluate(load(sweep.folder), [claim(against=0.5, better="higher")], EXPERIMENT)
    assert judged.status == Verdict.REPRODUCED


def test_p_values_are_adjusted_over_the_claims_of_the_sweep(sweep) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0}, instances=8)
    (alone,) = evaluate(load(sweep.folder), [claim()], EXPERIMENT)
    crowd = evaluate(load(sweep.folder), [claim(id=str(i)) for i in range(10)], EXPERIMENT)
    assert alone.status == Verdict.REPRODUCED
    assert {j.status for j in crowd} == {Verdict.INCONCLUSIVE}
    assert crowd[0].p_value == pytest.approx(10 * alone.p_value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ours": "our"}, "did you mean 'ours'"),
        ({"against": ("nobody",)}, "method 'nobody' has no 'cost'"),
        ({"metric": "costs"}, "did you mean 'cost'"),
        ({"metric": "cost/cas"}, "data set 'cas' is not in the sweep; did you mean 'ca'"),
        ({"at": ("seconds", 3.0)}, "cannot be read at a time"),
    ],
)
def test_a_claim_without_data_is_inconclusive_with_the_reason(sweep, changes: dict[str, Any], reason: str) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0})
    (judged,) = evaluate(load(sweep.folder), [claim(**changes)], EXPERIMENT)
    assert (judged.status, judged.effect.n) == (Verdict.INCONCLUSIVE, 0)
    assert reason in judged.reason


def test_methods_without_common_instances_cannot_be_paired(sweep) -> None:
    sweep.run("ours", 0, metrics={"ca/1": {"cost": 1.0}})
    sweep.run("theirs", 0, metrics={"ca/2": {"cost": 1.0}})
    (judged,) = evaluate(load(sweep.folder), [claim()], EXPERIMENT)
    assert "no instances in common" in judged.reason


def test_a_metric_can_look_at_one_data_set_alone(sweep) -> None:
    for method, ca, sc in (("ours", 1.0, 9.0), ("theirs", 2.0, 3.0)):
        for name, cost in (("ca", ca), ("sc", sc)):
            sweep.run(
                method, 0, dataset=name, metrics={f"{name}/{i}": {"cost": cost + i * 1.01**cost} for i in range(9)}
            )
    claims = [claim(id=name, metric=f"cost/{name}") for name in ("ca", "sc")]
    verdicts = [j.status for j in evaluate(load(sweep.folder), claims, EXPERIMENT)]
    assert verdicts == [Verdict.REPRODUCED, Verdict.CONTRADICTED]


def test_an_anytime_metric_is_judged_at_the_end_and_at_a_time(sweep) -> None:
    sweep.searches({"ours": 0.3, "theirs": 6.0}, instances=10)
    claims = [claim(id="end", metric="primal_gap"), claim(id="start", metric="primal_gap", at=("seconds", 0.05))]
    end, start = evaluate(load(sweep.folder), claims, EXPERIMENT)
    assert end.status == Verdict.REPRODUCED
    assert start.effect.mean == 0.0  # nobody has a solution yet
    assert start.status == Verdict.INCONCLUSIVE


def test_claims_of_other_experiments_are_left_alone_and_rows_have_the_contract_s_columns(sweep) -> None:
    write_costs(sweep, {"ours": 9.0, "theirs": 10.0})
    judged = evaluate(load(sweep.folder), [claim(), claim(id="c2", experiment="lb_relax/other")], EXPERIMENT)
    frame = to_frame(judged)
    assert list(frame.columns) == CLAIM_COLUMNS
    assert frame["claim"].tolist() == ["c1"]
    assert frame["experiment"].tolist() == [EXPERIMENT]


def test_pairs_are_compared_by_their_ratio_whatever_their_scale(sweep) -> None:
    for method, factor in (("ours", 1.0), ("theirs", 1.1)):
        sweep.run(method, 0, dataset="ca", metrics={f"ca/{i}": {"cost": factor * 10.0**i} for i in range(8)})
    claims = [claim(id=name, ratio=True, minimal_effect=least) for name, least in (("5 %", 0.05), ("15 %", 0.15))]
    five, fifteen = evaluate(load(sweep.folder), claims, EXPERIMENT)
    assert (five.status, fifteen.status) == (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    assert five.effect.mean == pytest.approx(0.1)
    assert five.effect.low == pytest.approx(0.1)


def test_a_ratio_of_what_is_not_positive_is_no_data_and_says_so(sweep) -> None:
    write_costs(sweep, {"ours": 0.0, "theirs": 10.0}, noise=0.0)
    (judged,) = evaluate(load(sweep.folder), [claim(ratio=True)], EXPERIMENT)
    assert judged.status == Verdict.INCONCLUSIVE
    assert "'cost' has the value 0" in judged.reason


def test_a_rate_is_compared_by_who_is_ahead(sweep) -> None:
    for method, solved in (("ours", 10), ("theirs", 3)):
        metrics = {f"ca/{i}": {"feasible": float(i < solved)} for i in range(12)}
        sweep.run(method, 0, dataset="ca", metrics=metrics)
    (judged,) = evaluate(load(sweep.folder), [claim(metric="feasible", better="higher", kind="sign")], EXPERIMENT)
    assert judged.status == Verdict.REPRODUCED
    assert judged.p_value == pytest.approx(2**-6)
