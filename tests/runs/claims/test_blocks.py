"""Methods are averaged over what all of them have; senses and scales never meet in a mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from runs.claims.blocks import blocks, left_out
from runs.claims.metrics import PaperMetrics, load_metrics
from runs.record.run_folder import RESULT_COLUMNS

SEARCH = PaperMetrics(lb_relax=load_metrics("lb_relax"))
NAN = float("nan")


def frame(*rows: tuple[str, str, int, str, float]) -> pd.DataFrame:
    """Rows of method, instance, seed, metric, value."""
    return pd.DataFrame([("lb_relax", "t", *row) for row in rows], columns=RESULT_COLUMNS)


def table(metric: str, cells: dict[str, dict[str, float]], seed: int = 0) -> pd.DataFrame:
    """Values by method and instance, one seed."""
    return frame(*[(m, i, seed, metric, v) for m, values in cells.items() for i, v in values.items()])


def means(results: pd.DataFrame, senses: dict[tuple[str, str], bool] | None = None) -> dict[tuple[str, str], float]:
    return {(b.method, b.name): float(b.rows["value"].mean()) for b in blocks(results, SEARCH, senses)}


def test_what_one_method_did_not_solve_counts_for_none() -> None:
    results = table(
        "primal_bound",
        {"bnb": {"f/1": 10.0, "f/2": 20.0, "f/3": NAN}, "lns": {"f/1": 12.0, "f/2": 22.0, "f/3": 60.0}},
    )
    assert means(results) == {("bnb", "primal_bound"): 15.0, ("lns", "primal_bound"): 17.0}  # not 15 and 31
    assert left_out(results, SEARCH) == [
        "objective: over the 2 of 3 instances that all methods have; left out: f/3 (not bnb)"
    ]


def test_a_bound_and_an_objective_are_averaged_over_the_same_instances() -> None:
    results = pd.concat(
        [
            table("primal_bound", {"bnb": {"f/1": 10.0, "f/2": NAN}, "lns": {"f/1": 11.0, "f/2": 50.0}}),
            table("dual_bound", {"bnb": {"f/1": 9.0, "f/2": 40.0}}),
        ]
    )
    found = means(results)  # minimised: over all it has, the bound would be 24.5, above an objective of 10
    assert found == {("bnb", "primal_bound"): 10.0, ("lns", "primal_bound"): 11.0, ("bnb", "dual_bound"): 9.0}


def test_a_run_that_was_lost_takes_its_instance_and_seed_from_the_others() -> None:
    rows = [("a", f"f/{i}", seed, "cost", float(10 * i + seed)) for i in (1, 2) for seed in (0, 1)]
    rows += [("b", i, seed, metric, v + 1) for _, i, seed, metric, v in rows if (i, seed) != ("f/2", 1)]
    results = frame(*rows)
    assert means(results) == {("a", "cost"): (10 + 11 + 20) / 3, ("b", "cost"): (11 + 12 + 21) / 3}
    assert left_out(results, SEARCH) == ["cost: over the 3 of 4 pairs of instance and seed that all methods have"]


def test_with_other_seeds_a_method_must_have_all_of_its_own_on_an_instance() -> None:
    rows = [("fixed", f"f/{i}", 0, "cost", float(i)) for i in (1, 2)]
    rows += [("random", f"f/{i}", seed, "cost", float(i)) for i in (1, 2) for seed in (1, 2) if (i, seed) != (2, 2)]
    assert means(frame(*rows)) == {("fixed", "cost"): 1.0, ("random", "cost"): 1.0}


def test_a_method_that_finished_nothing_does_not_cost_the_others_their_means() -> None:
    results = table("cost", {"a": {"f/1": 1.0, "f/2": 2.0}, "b": {"f/1": NAN, "f/2": NAN}})
    assert means(results) == {("a", "cost"): 1.5}


def test_methods_that_share_no_instance_keep_their_own_and_that_is_said() -> None:
    results = table("cost", {"a": {"f/1": 1.0}, "b": {"f/2": 2.0}})
    assert means(results) == {("a", "cost"): 1.0, ("b", "cost"): 2.0}
    assert left_out(results, SEARCH) == ["cost: the methods share no instance; each mean is over a method's own"]


def test_maximised_and_minimised_objectives_have_no_mean_and_their_gaps_have_one() -> None:
    cells = {"a": {"f/max": 30.0, "f/min": 20.0}, "b": {"f/max": 29.0, "f/min": 21.0}}
    gaps = {"a": {"f/max": 0.0, "f/min": 0.0}, "b": {"f/max": 0.02, "f/min": 0.04}}
    results = pd.concat([table("primal_bound", cells), table("primal_gap", gaps)])
    senses = {("lb_relax", "f/max"): True, ("lb_relax", "f/min"): False}
    assert means(results, senses) == {("a", "primal_gap"): 0.0, ("b", "primal_gap"): pytest.approx(0.03)}
    assert left_out(results, SEARCH, senses) == [
        "objective: not averaged: some instances are maximised, others minimised"
    ]
    assert ("a", "primal_bound") in means(results, dict.fromkeys(senses, True))


@pytest.mark.parametrize(("other", "averaged"), [(100.0, True), (101.0, False), (0.0, False), (-9.0, True)])
def test_objectives_of_another_scale_have_no_mean(other: float, averaged: bool) -> None:
    results = table("primal_bound", {"a": {"f/1": 10.0, "f/2": other}})
    assert bool(means(results)) == averaged
    assert bool(left_out(results, SEARCH)) != averaged


def test_objectives_of_several_data_sets_are_averaged_in_each_alone() -> None:
    cells = {"a": {"ca/1": 10.0, "ca/2": 12.0, "sc/1": 10.0}}
    results = pd.concat([table("primal_bound", cells), table("seconds", cells)])
    assert means(results) == {
        ("a", "primal_bound/ca"): 11.0,
        ("a", "primal_bound/sc"): 10.0,
        ("a", "seconds"): pytest.approx(32 / 3),
        ("a", "seconds/ca"): 11.0,
        ("a", "seconds/sc"): 10.0,
    }


def test_blocks_come_by_method_and_metric_and_then_by_data_set() -> None:
    cells = {"b": {"ca/1": 1.0, "sc/1": 2.0}, "a": {"ca/1": 1.0, "sc/1": 2.0}}
    names = [(b.method, b.name) for b in blocks(pd.concat([table("y", cells), table("x", cells)]))]
    assert names == [(m, f"{x}{d}") for m in "ab" for x in "xy" for d in ("", "/ca", "/sc")]


def test_a_mean_is_of_finite_values() -> None:
    assert means(table("cost", {"a": {"f/1": 1.0, "f/2": np.inf}})) == {("a", "cost"): 1.0}


def ratios(conf: Path) -> PaperMetrics:
    """The metrics of a paper that has the ratio of costs to method a."""
    folder = conf / "experiment" / "lb_relax"
    folder.mkdir(parents=True)
    (folder / "metrics.yaml").write_text(
        "metrics:\n  cost: {label: cost, direction: lower}\n"
        "  cost_ratio: {label: over that of a, direction: lower, ratio: {of: cost, to: a}}\n"
    )
    return PaperMetrics(lb_relax=load_metrics("lb_relax", conf))


def test_a_ratio_is_over_the_pairs_of_two_methods_not_over_what_all_have(tmp_path: Path) -> None:
    metrics = ratios(tmp_path)
    costs = {"a": {"f/1": 2.0, "f/2": 4.0, "f/3": NAN}, "b": {"f/1": 4.0, "f/2": 32.0}, "c": {"f/2": 2.0, "f/3": 9.0}}
    found = {
        b.method: metrics.of(b.paper, b.metric).interval_of(b.rows).mean
        for b in blocks(metrics.with_ratios(table("cost", costs)), metrics)
        if b.metric == "cost_ratio"
    }
    assert found == pytest.approx({"a": 1.0, "b": 4.0, "c": 0.5})


def test_a_ratio_pairs_seeds_and_is_left_out_where_its_method_is_not_there(tmp_path: Path) -> None:
    metrics = ratios(tmp_path)
    rows = [("a", "f/1", 0, "cost", 2.0), ("a", "f/1", 1, "cost", 4.0), ("b", "f/1", 1, "cost", 2.0)]
    made = metrics.with_ratios(frame(*rows)).query("metric == 'cost_ratio' and method == 'b'")
    assert made["value"].tolist() == [0.5]
    assert set(metrics.with_ratios(frame(*rows[2:]))["metric"]) == {"cost"}


def test_a_method_alone_has_no_ratio_to_itself(tmp_path: Path) -> None:
    alone = ratios(tmp_path).with_ratios(frame(("a", "f/1", 0, "cost", 2.0)))
    assert set(alone["metric"]) == {"cost"}
