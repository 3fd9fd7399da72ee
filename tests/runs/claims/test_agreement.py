"""Our numbers beside published ones that say how they vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from runs.claims.__main__ import main
from runs.claims.agreement import PUBLISHED_COLUMNS, agreements
from runs.claims.claim import Claim
from runs.claims.metrics import PaperMetrics, load_metrics
from runs.claims.published import load_published
from runs.claims.statistics import Sample, holm, welch_test
from runs.claims.verdicts import Verdict, evaluate
from runs.record.run_folder import RESULT_COLUMNS
from runs.record.sweep_folder import load
from runs.report.build import build
from runs.report.terminal import print_to_terminal

EXPERIMENT = "lb_relax/table_small"


def sample(values: np.ndarray) -> Sample:
    return Sample(float(values.mean()), float(values.std(ddof=1)), len(values))


def cell(seed: int, mean: float, n: int = 10) -> np.ndarray:
    return mean + 0.1 * np.random.default_rng(seed).normal(size=n)


def frame(cells: dict[str, np.ndarray], metric: str = "loss", instance: str = "text/1") -> pd.DataFrame:
    rows = [
        ("lb_relax", "table_small", method, instance, seed, metric, value)
        for method, values in cells.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


def entry(method: str, theirs: np.ndarray, **changes: Any) -> dict[str, Any]:
    base = {"method": method, "metric": "loss", "value": float(theirs.mean()), "source": "Table 1"}
    return base | {"std": float(theirs.std(ddof=1)), "n": len(theirs)} | changes


def claim(**changes: Any) -> Claim:
    base: dict[str, Any] = {"paper": "lb_relax", "id": "agree", "statement": "our cells are the published ones"}
    base |= {"source": "Table 1", "metric": "loss", "better": "lower", "ours": "ours", "against": ("published",)}
    return Claim(**(base | {"experiment": EXPERIMENT, "kind": "welch", "over": "seeds"} | changes))


def write_cells(sweep, cells: dict[str, np.ndarray], dataset: str = "text") -> None:
    for method, values in cells.items():
        for seed, value in enumerate(values):
            metrics = {f"{dataset}/{i}": {"loss": value + d} for i, d in enumerate((-0.5, 0.5))}
            sweep.run(method, seed, dataset=dataset, metrics=metrics)


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0.01, 100), st.integers(0, 1000))
def test_the_test_from_means_and_deviations_is_the_one_from_the_values(n: int, m: int, ratio: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(size=n), 0.3 + ratio * rng.normal(size=m)
    reference = stats.ttest_ind(ours, theirs, equal_var=False)
    bounds = reference.confidence_interval(0.9)
    difference, p_value = welch_test(sample(ours), sample(theirs), level=0.1)
    assert p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (difference.low, difference.high) == pytest.approx((bounds.low, bounds.high))
    assert difference.mean == pytest.approx(ours.mean() - theirs.mean())


@pytest.mark.parametrize(
    ("ours", "theirs", "p_value"),
    [
        (Sample(1.0, float("nan"), 1), Sample(1.0, 0.1, 5), None),
        (Sample(1.0, 0.1, 5), Sample(1.0, float("nan"), 5), None),
        (Sample(1.0, 0.0, 5), Sample(1.0, 0.0, 5), 1.0),
        (Sample(1.0, 0.0, 5), Sample(1.01, 0.0, 5), None),
    ],
)
def test_what_says_nothing_about_sampling_error_is_not_tested(ours: Sample, theirs: Sample, p_value) -> None:
    difference, found = welch_test(ours, theirs)
    assert difference.low is None
    assert found == p_value if p_value is not None else np.isnan(found)


def test_p_values_are_adjusted_over_the_numbers_of_the_experiment_that_can_be_tested(conf) -> None:
    cells = {name: cell(i, 1.0) for i, name in enumerate("abc")}
    theirs = {name: cell(10 + i, 1.1) for i, name in enumerate("abc")}
    numbers = [entry(name, values) for name, values in theirs.items()]
    numbers[2] |= {"std": None}
    elsewhere = entry("a", theirs["a"], experiment="figure")
    found = agreements(frame(cells), load_published("lb_relax", conf(published=[*numbers, elsewhere])))
    raw = [stats.ttest_ind(cells[name], theirs[name], equal_var=False).pvalue for name in "ab"]
    assert [item.adjusted for item in found[:2]] == pytest.approx(list(holm(raw)))
    assert [item.tested for item in found] == [True, True, False]


def test_seeds_count_with_their_mean_over_the_instances(conf) -> None:
    ours = cell(0, 1.0, n=4)
    rows = pd.concat([frame({"a": ours - 0.3}, instance="t/1"), frame({"a": ours + 0.3}, instance="t/2")])
    (found,) = agreements(rows, load_published("lb_relax", conf(published=[entry("a", cell(1, 1.0))])))
    assert found.ours == Sample(pytest.approx(ours.mean()), pytest.approx(ours.std(ddof=1)), 4)


def test_a_published_percentage_and_its_deviation_are_compared_with_our_fraction(conf) -> None:
    theirs = {"method": "a", "metric": "primal_gap", "value": 5.0, "std": 1.0, "n": 9, "unit": "%", "source": "T1"}
    rows = frame({"a": np.array([0.04, 0.05, 0.06])}, metric="primal_gap")
    where = conf(published=[theirs])
    metrics = PaperMetrics(lb_relax=load_metrics("lb_relax", where))
    (found,) = agreements(rows, load_published("lb_relax", where, metrics["lb_relax"]), metrics)
    assert (found.theirs.mean, found.theirs.std) == (pytest.approx(0.05), pytest.approx(0.01))
    assert found.p_value == pytest.approx(1.0)


def test_a_number_for_all_data_sets_is_compared_once(conf) -> None:
    rows = pd.concat([frame({"a": cell(i, 1.0)}, instance=f"{name}/1") for i, name in enumerate(("x", "y"))])
    numbers = [entry("a", cell(3, 1.0)), entry("a", cell(4, 1.0), dataset="y")]
    found = agreements(rows, load_published("lb_relax", conf(published=numbers)))
    assert sorted(item.metric.name for item in found) == ["loss", "loss/y"]


def test_the_report_shows_their_spread_the_difference_and_how_many_agree(sweep, conf, capsys) -> None:
    write_cells(sweep, {"same": cell(0, 1.0), "other": cell(1, 2.0)})
    numbers = [entry("same", cell(2, 1.0)), entry("other", cell(3, 1.0)), entry("absent", cell(4, 1.0))]
    numbers.append({"method": "same", "metric": "loss", "value": 1.2, "source": "Table 2"})
    summary = build(sweep.folder, conf(published=numbers))
    table = pd.read_csv(sweep.folder / "published.csv")
    assert list(table.columns) == PUBLISHED_COLUMNS
    tested = table.dropna(subset="p_value").set_index("method")
    assert tested.loc["other", "p_holm"] < 0.001 < 0.05 < tested.loc["same", "p_holm"]
    assert tested.loc["other", "ci_low"] < tested.loc["other", "difference"] < tested.loc["other", "ci_high"]
    page = summary.html.read_text()
    print_to_terminal(summary)
    for text in (page, " ".join(capsys.readouterr().out.split())):
        assert "1 of 2 published numbers agree within sampling error (1 more lack a spread, theirs or ours)" in text
        assert "clearest difference" in text
    for text in (f"± {numbers[0]['std']:.4g}", "n = 10", "p (Holm)", "Jobs" if summary.failed else "Numbers"):
        assert text in page


def test_published_numbers_without_a_spread_change_nothing_in_the_report(sweep, conf, capsys) -> None:
    write_cells(sweep, {"a": cell(0, 1.0)})
    summary = build(sweep.folder, conf(published=[{"method": "a", "metric": "loss", "value": 1.2, "source": "T"}]))
    print_to_terminal(summary)
    assert "sampling error" not in summary.html.read_text() + capsys.readouterr().out
    assert ">difference<" not in summary.html.read_text()


@pytest.mark.parametrize(("shift", "status"), [(0.0, Verdict.REPRODUCED), (0.5, Verdict.CONTRADICTED)])
def test_agreement_is_contradicted_by_one_cell_and_else_not_rejected(sweep, conf, shift: float, status) -> None:
    names = [f"cell{i}" for i in range(8)]
    write_cells(sweep, {name: cell(i, float(i)) for i, name in enumerate(names)})
    numbers = [entry(name, cell(100 + i, float(i) + (shift if i == 3 else 0.0))) for i, name in enumerate(names)]
    published = load_published("lb_relax", conf(published=numbers))
    (judged,) = evaluate(load(sweep.folder), [claim()], EXPERIMENT, published=published)
    assert (judged.status, judged.effect.n) == (status, 8)
    differences = [i - cell(100 + i, float(i)).mean() + cell(i, float(i)).mean() - i for i in range(8)]
    if shift:
        assert "7 of 8 published numbers agree" in judged.reason
        assert "cell3" in judged.reason
        assert judged.effect.mean == pytest.approx(shift - differences[3])  # ours is lower, which is better
        assert judged.p_value < 0.05
    else:
        assert "8 of 8 published numbers agree" in judged.reason
        assert "weaker" in judged.reason
        assert abs(judged.effect.mean) == pytest.approx(max(map(abs, differences)))
    assert judged.effect.low < judged.effect.mean < judged.effect.high  # type: ignore[operator]


def test_agreement_can_be_asked_of_one_data_set_and_of_a_higher_is_better_metric(sweep, conf) -> None:
    for name, mean in (("x", 1.0), ("y", 2.0)):
        write_cells(sweep, {"a": cell(0, mean)}, dataset=name)
    numbers = [entry("a", cell(1, 1.0), dataset=name) for name in ("x", "y")] + [entry("a", cell(2, 9.0))]
    published = load_published("lb_relax", conf(published=numbers))
    claims = [claim(id=name, metric=f"loss/{name}", better="higher") for name in ("x", "y")]
    on_x, on_y = evaluate(load(sweep.folder), claims, EXPERIMENT, published=published)
    assert (on_x.status, on_y.status) == (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    assert on_y.effect.mean == pytest.approx(1.0, abs=0.2)


def test_agreement_does_not_weigh_on_the_paired_claims_nor_they_on_it(sweep, conf) -> None:
    write_cells(sweep, {"a": cell(0, 1.0), "b": cell(1, 2.0)})
    published = load_published("lb_relax", conf(published=[entry("a", cell(2, 1.1))]))
    paired = claim(id="paired", kind="t", ours="a", against=("b",))
    both = evaluate(load(sweep.folder), [claim(), paired], EXPERIMENT, published=published)
    (alone,) = evaluate(load(sweep.folder), [paired], EXPERIMENT)
    assert [judged.claim.id for judged in both] == ["agree", "paired"]
    assert both[1].p_value == alone.p_value
    assert both[0].p_value == pytest.approx(stats.ttest_ind(cell(0, 1.0), cell(2, 1.1), equal_var=False).pvalue)


@pytest.mark.parametrize(
    ("numbers", "changes", "reason"),
    [
        ([], {}, "of 0 published numbers"),
        ([{"method": "a", "metric": "loss", "value": 1.0, "source": "T"}], {}, "none can be tested"),
        ([], {"metric": "los"}, "did you mean 'loss'"),
    ],
)
def test_agreement_with_nothing_to_compare_is_inconclusive(sweep, conf, numbers, changes, reason: str) -> None:
    write_cells(sweep, {"a": cell(0, 1.0)})
    published = load_published("lb_relax", conf(published=numbers))
    (judged,) = evaluate(load(sweep.folder), [claim(**changes)], EXPERIMENT, published=published)
    assert (judged.status, judged.effect.n) == (Verdict.INCONCLUSIVE, 0)
    assert reason in judged.reason


def test_the_ledger_judges_agreement_by_the_file_of_published_numbers(sweep, conf, tmp_path, capsys) -> None:
    sweep.folder = tmp_path / "outputs" / "lb_relax" / "table_small"
    write_cells(sweep, {"a": cell(0, 1.0)})
    item = {"id": "agree", "statement": "same", "source": "T1", "metric": "loss", "better": "lower", "ours": "ours"}
    item |= {"against": "published", "test": {"kind": "welch"}, "experiment": EXPERIMENT}
    root = conf(claims=[item], published=[entry("a", cell(1, 1.0))])
    assert main(["--outputs", str(tmp_path / "outputs"), "--conf", str(root)]) == 0
    assert "reproduced" in capsys.readouterr().out
    assert "Welch" in (tmp_path / "outputs" / "claims.html").read_text()
