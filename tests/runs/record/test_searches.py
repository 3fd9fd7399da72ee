"""Anytime metrics of a sweep, recomputed under the best value known."""

from __future__ import annotations

import numpy as np
import pytest

from runs.anytime import Trace
from runs.record.curves import curves
from runs.record.searches import Searches, with_anytime_metrics
from runs.record.sweep_folder import load


def trace_of(*rows: tuple[float, int, float], maximize: bool = False) -> Trace:
    trace = Trace(maximize=maximize)
    for row in rows:
        trace.record(*row)
    return trace


def values(frame, metric: str) -> dict[tuple[str, str, int], float]:
    rows = frame[frame["metric"] == metric]
    return dict(zip(zip(rows["method"], rows["instance"], rows["seed"], strict=True), rows["value"], strict=True))


def test_the_best_value_is_taken_over_all_methods_seeds_and_moments(sweep) -> None:
    sweep.run("a", 0, metrics={"x/1": {}}, traces={"x/1": trace_of((1.0, 1, 12.0), (4.0, 2, 10.0))})
    sweep.run("b", 0, metrics={"x/1": {}}, traces={"x/1": trace_of((2.0, 1, 16.0))})
    sweep.run("b", 1, metrics={"x/1": {}}, traces={"x/1": trace_of((2.0, 1, 8.0))})
    searches = Searches.of(load(sweep.folder))
    assert searches.best == {("lb_relax", "x/1"): 8.0}
    gaps = values(searches.rows, "primal_gap")
    assert gaps[("a", "x/1", 0)] == pytest.approx(0.2)
    assert gaps[("b", "x/1", 0)] == pytest.approx(0.5)
    assert gaps[("b", "x/1", 1)] == 0.0


@pytest.mark.parametrize(("maximize", "optimum", "best"), [(False, 5.0, 5.0), (True, 15.0, 15.0), (True, 5.0, 10.0)])
def test_a_published_optimum_counts_where_it_is_better(sweep, maximize: bool, optimum: float, best: float) -> None:
    trace = trace_of((1.0, 1, 10.0), maximize=maximize)
    sweep.run("a", 0, metrics={"x/1": {"optimum": optimum}}, traces={"x/1": trace})
    assert Searches.of(load(sweep.folder)).best[("lb_relax", "x/1")] == best


def test_the_integral_runs_to_the_budget_and_else_to_the_longest_trace(sweep) -> None:
    short, long = trace_of((1.0, 2, 10.0)), trace_of((1.0, 1, 20.0), (6.0, 8, 20.0))
    sweep.run("a", 0, metrics={"x/1": {}}, traces={"x/1": short}, budget={"seconds": 10, "evaluations": None})
    sweep.run("b", 0, metrics={"x/1": {}}, traces={"x/1": long}, budget={"seconds": 10, "evaluations": None})
    rows = Searches.of(load(sweep.folder)).rows
    assert values(rows, "primal_integral")[("a", "x/1", 0)] == pytest.approx(1.0)
    assert values(rows, "primal_integral")[("b", "x/1", 0)] == pytest.approx(1.0 + 9 * 0.5)
    assert values(rows, "primal_integral_evaluations")[("a", "x/1", 0)] == pytest.approx(2.0)
    assert values(rows, "primal_integral_evaluations")[("b", "x/1", 0)] == pytest.approx(1.0 + 7 * 0.5)


def test_what_is_found_after_the_budget_does_not_count(sweep) -> None:
    late, punctual = trace_of((1.0, 1, 20.0), (10.2, 2, 5.0)), trace_of((9.0, 1, 10.0))
    sweep.run("late", 0, metrics={"x/1": {}}, traces={"x/1": late}, budget={"seconds": 10, "evaluations": None})
    sweep.run("punctual", 0, metrics={"x/1": {}}, traces={"x/1": punctual}, budget={"seconds": 10, "evaluations": None})
    rows = Searches.of(load(sweep.folder)).rows
    assert values(rows, "primal_gap")[("late", "x/1", 0)] == pytest.approx(0.75)
    assert values(rows, "best_performing_rate") == {("late", "x/1", 0): 0.0, ("punctual", "x/1", 0): 1.0}


def test_an_instance_without_a_trace_is_a_search_that_found_nothing(sweep) -> None:
    good = {"x/1": trace_of((1.0, 1, -10.0), maximize=True), "x/2": trace_of((1.0, 1, -5.0), maximize=True)}
    sweep.run("good", 0, metrics={k: {"feasible": 1.0} for k in good}, traces=good, budget={"seconds": 4})
    sweep.run(
        "half", 0, metrics={k: {"feasible": 0.0} for k in good}, traces={"x/1": good["x/1"]}, budget={"seconds": 4}
    )
    sweep.run("none", 0, metrics={k: {"feasible": 0.0} for k in good}, budget={"seconds": 4})
    rows = Searches.of(load(sweep.folder)).rows
    assert values(rows, "primal_gap")[("half", "x/2", 0)] == 1.0
    assert values(rows, "primal_integral")[("none", "x/1", 0)] == 4.0
    assert values(rows, "best_performing_rate")[("good", "x/2", 0)] == 1.0
    assert values(rows, "best_performing_rate")[("none", "x/2", 0)] == 0.0


def test_wins_are_counted_only_where_every_method_has_run(sweep) -> None:
    for method, seeds in (("a", (0, 1)), ("b", (0,))):
        for seed in seeds:
            trace = trace_of((1.0, 1, 10.0 if method == "a" else 11.0))
            sweep.run(method, seed, metrics={"x/1": {}}, traces={"x/1": trace})
    wins = values(Searches.of(load(sweep.folder)).rows, "best_performing_rate")
    assert wins == {("a", "x/1", 0): 1.0, ("b", "x/1", 0): 0.0}


def test_metrics_can_be_read_at_any_time_of_either_clock(sweep) -> None:
    trace = trace_of((1.0, 1, 20.0), (5.0, 4, 10.0))
    sweep.run("a", 0, metrics={"x/1": {}}, traces={"x/1": trace}, budget={"seconds": 8})
    searches = Searches.of(load(sweep.folder))
    assert searches.metric("primal_gap", "seconds", 4.9)["value"].item() == 0.5
    assert searches.metric("primal_gap", "evaluations", 4)["value"].item() == 0.0
    assert searches.metric("primal_bound", "seconds", 2)["value"].item() == 20.0
    assert searches.metric("primal_integral", "seconds", 3.0)["value"].item() == pytest.approx(1.0 + 2 * 0.5)


def test_what_a_run_computed_alone_gives_way_to_the_recomputed_metrics_of_searches_only(sweep) -> None:
    sweep.run("a", 0, metrics={"x/1": {"primal_gap": 0.7, "seconds": 3.0}}, traces={"x/1": trace_of((1.0, 1, 10.0))})
    sweep.run("b", 0, metrics={"x/1": {"primal_gap": 0.7}}, traces={"x/1": trace_of((1.0, 1, 20.0))})
    sweep.run("other", 0, experiment="plain", metrics={"y/1": {"primal_gap": 0.3}})
    found = load(sweep.folder)
    results = with_anytime_metrics(found.results, Searches.of(found))
    gaps = values(results, "primal_gap")
    assert gaps == {("a", "x/1", 0): 0.0, ("b", "x/1", 0): 0.5, ("other", "x/1".replace("x", "y"), 0): 0.3}
    assert values(results, "seconds") == {("a", "x/1", 0): 3.0}


def test_a_sweep_without_traces_has_no_searches_and_keeps_its_results(sweep) -> None:
    sweep.run("a", 0, metrics={"all": {"accuracy": 0.5}})
    found = load(sweep.folder)
    searches = Searches.of(found)
    assert len(searches) == 0
    assert np.array_equal(with_anytime_metrics(found.results, searches)["value"], [0.5])


def test_a_method_alone_has_no_gap_to_itself_unless_an_optimum_is_published(sweep) -> None:
    known = {"x/1": {"feasible": 1.0}, "x/2": {"feasible": 1.0, "optimum": 8.0}}
    for seed, value in ((0, 10.0), (1, 16.0)):
        sweep.run("a", seed, metrics=known, traces={name: trace_of((1.0, 1, value)) for name in known})
    gaps = values(Searches.of(load(sweep.folder)).rows, "primal_gap")
    assert gaps == {("a", "x/2", 0): pytest.approx(0.2), ("a", "x/2", 1): 0.5}
    both = Searches.of(load(sweep.folder), load(sweep.folder))
    assert len(both.comparable) == 8


def test_an_infeasible_or_unbounded_instance_counts_in_no_gap(sweep) -> None:
    flags = {"feasible": 0.0, "proved": 1.0, "infeasible": 1.0, "unbounded": 0.0}
    solved = {"feasible": 1.0, "proved": 1.0, "infeasible": 0.0, "unbounded": 0.0}
    unbounded = solved | {"unbounded": 1.0}
    for method, value in (("a", 10.0), ("b", 20.0)):
        traces = {name: trace_of((1.0, 1, value)) for name in ("x/1", "x/3")} | {"x/2": trace_of((1.0, 0, np.nan))}
        sweep.run(method, 0, metrics={"x/1": solved, "x/2": flags, "x/3": unbounded}, traces=traces)
    searches = Searches.of(load(sweep.folder))
    assert values(searches.rows, "primal_gap") == {("a", "x/1", 0): 0.0, ("b", "x/1", 0): 0.5}


def ended(value: float, bound: float = float("nan"), proved: bool = False) -> dict[str, float]:
    """What a search on an integer program leaves."""
    flags = {"feasible": 1.0, "proved": float(proved), "infeasible": 0.0, "unbounded": 0.0}
    return {"primal_bound": value, "dual_bound": bound, **flags}


@pytest.mark.parametrize(
    ("maximize", "bounds", "best", "gaps"),
    [
        (False, (80.0, 90.0), 90.0, {"a": 0.1, "b": 1 - 90 / 120}),  # a lower bound: the highest is the tightest
        (True, (144.0, 150.0), 144.0, {"a": 1 - 100 / 144, "b": 1 - 120 / 144}),
    ],
)
def test_the_gap_to_the_bound_is_to_the_tightest_that_any_method_proved(
    sweep, maximize: bool, bounds: tuple[float, float], best: float, gaps: dict[str, float]
) -> None:
    for method, value, bound in zip("ab", (100.0, 120.0), bounds, strict=True):
        trace = trace_of((1.0, 1, value), maximize=maximize)
        sweep.run(method, 0, metrics={"x/1": ended(value, bound)}, traces={"x/1": trace})
    searches = Searches.of(load(sweep.folder))
    assert searches.bound == {("lb_relax", "x/1"): best}
    found = values(searches.rows, "proved_gap")
    assert found == {(method, "x/1", 0): pytest.approx(gap) for method, gap in gaps.items()}


def test_a_method_alone_has_a_gap_to_its_bound_and_none_to_itself(sweep) -> None:
    sweep.run("a", 0, metrics={"x/1": ended(100.0, 80.0)}, traces={"x/1": trace_of((1.0, 1, 100.0))})
    rows = Searches.of(load(sweep.folder)).rows
    assert rows["metric"].tolist() == ["proved_gap"]
    assert rows["value"].tolist() == [pytest.approx(0.2)]


def test_an_optimum_that_was_proved_or_published_is_the_bound(sweep) -> None:
    sweep.run("a", 0, metrics={"x/1": ended(10.0, 9.9999999, proved=True)}, traces={"x/1": trace_of((1.0, 1, 10.0))})
    published = ended(12.0) | {"optimum": 10.0}
    sweep.run("b", 0, name="b", metrics={"x/2": published}, traces={"x/2": trace_of((1.0, 1, 12.0))})
    searches = Searches.of(load(sweep.folder))
    assert searches.bound == {("lb_relax", "x/1"): 10.0, ("lb_relax", "x/2"): 10.0}
    assert values(searches.rows, "proved_gap") == {("a", "x/1", 0): 0.0, ("b", "x/2", 0): pytest.approx(1 / 6)}


def test_what_a_gap_is_against_is_said(sweep) -> None:
    for method, value in (("bnb", 10.0), ("lns", 12.0)):
        bounds = {"x/1": 8.0, "x/2": 10.0, "x/3": float("nan")}
        if method == "lns":
            bounds = dict.fromkeys(bounds, float("nan"))
        found = {name: ended(value, bound, proved=bound == value) for name, bound in bounds.items()}
        sweep.run(method, 0, metrics=found, traces={name: trace_of((1.0, 1, value)) for name in bounds})
    assert Searches.of(load(sweep.folder)).references == [
        "primal gap: to the best objective of all methods here, the optimum on 1 of 3 instances; the best proved bound "
        "leaves room for up to 20 %; how far from the optimum that is, no bound tells on 1 of 3"
    ]


def test_curves_are_over_what_all_methods_have(sweep) -> None:
    grid = np.array([0.0, 2.0])
    for method, value in (("a", 10.0), ("b", 20.0)):
        traces = {f"x/{i}": trace_of((1.0, 1, value)) for i in ((1, 2) if method == "b" else (1,))}
        sweep.run(method, 0, metrics={name: {} for name in traces}, traces=traces)
    searches = Searches.of(load(sweep.folder))
    (positions,) = searches.positions().values()
    curve = next(curves(searches))
    bands = curve.bands(searches, positions, grid, "seconds")
    assert bands["b"][0].tolist() == [1.0, 0.5]  # over x/2 as well, where b is the best known, it would be .25
