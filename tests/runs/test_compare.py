"""Two sweeps side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from runs.anytime import Trace
from runs.compare import COLUMNS, compare, main, write


def fill(sweep, folder: Path, method: str, cost: dict[str, float], seed: int = 0, **more) -> None:
    sweep.folder = folder
    sweep.run(method, seed, dataset="ca", metrics={name: {"cost": value} for name, value in cost.items()}, **more)


def test_matching_instances_are_paired_and_tested_as_scipy_does(sweep, tmp_path) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(10, 5, size=12), rng.normal(0.7, 1, size=12)
    fill(sweep, tmp_path / "a", "m", {f"ca/{i}": v for i, v in enumerate(first)})
    fill(sweep, tmp_path / "b", "m", {f"ca/{i}": v for i, v in enumerate(first + second)})
    (row,) = compare(tmp_path / "a", tmp_path / "b").table.to_dict("records")
    assert list(row) == COLUMNS
    assert row["difference"] == pytest.approx(second.mean())
    assert row["p_value"] == pytest.approx(stats.wilcoxon(second, method="exact").pvalue)
    assert (row["n"], row["test"]) == (12, "paired wilcoxon over 12 instances")


def test_few_instances_are_paired_over_seeds_by_a_t_test(sweep, tmp_path) -> None:
    differences = [1.0, 1.5, 2.5]
    for seed, difference in enumerate(differences):
        fill(sweep, tmp_path / "a", "m", {"all": 5.0 + seed}, seed)
        fill(sweep, tmp_path / "b", "m", {"all": 5.0 + seed + difference}, seed)
    (row,) = compare(tmp_path / "a", tmp_path / "b").table.to_dict("records")
    assert row["p_value"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert row["test"] == "paired t over 3 seeds"


def test_other_seeds_on_the_same_instances_are_paired_by_instance(sweep, tmp_path) -> None:
    cost = {f"ca/{i}": float(i) for i in range(8)}
    fill(sweep, tmp_path / "a", "m", cost, seed=0)
    fill(sweep, tmp_path / "b", "m", {k: v + 1 for k, v in cost.items()}, seed=9)
    (row,) = compare(tmp_path / "a", tmp_path / "b").table.to_dict("records")
    assert row["difference"] == pytest.approx(1.0)
    assert row["test"] == "paired wilcoxon over 8 instances"


def test_results_without_a_match_are_tested_unpaired(sweep, tmp_path) -> None:
    fill(sweep, tmp_path / "a", "m", {f"ca/{i}": float(i) for i in range(6)})
    fill(sweep, tmp_path / "b", "m", {f"ca/{i + 10}": i + 3.5 for i in range(5)})
    (row,) = compare(tmp_path / "a", tmp_path / "b").table.to_dict("records")
    assert row["test"] == "unpaired rank sum of 6 and 5"
    assert row["p_value"] == pytest.approx(stats.mannwhitneyu(range(6), np.arange(5) + 3.5).pvalue)
    assert row["difference"] == pytest.approx(3.0)


def test_gaps_of_both_sweeps_are_measured_against_one_best_value(sweep, tmp_path) -> None:
    for folder, value in (("a", 10.0), ("b", 8.0)):
        trace = Trace()
        trace.record(1.0, 1, value)
        sweep.folder = tmp_path / folder
        sweep.run("m", 0, metrics={"ca/1": {"feasible": 1.0}}, traces={"ca/1": trace})
    table = compare(tmp_path / "a", tmp_path / "b").table.set_index("metric")
    assert table.loc["primal_gap", "mean_a"] == pytest.approx(0.2)
    assert table.loc["primal_gap", "mean_b"] == 0.0


def test_p_values_are_adjusted_over_all_rows(sweep, tmp_path) -> None:
    for folder, shift in (("a", 0.0), ("b", 1.0)):
        for method in ("m", "n", "o"):
            fill(sweep, tmp_path / folder, method, {f"ca/{i}": i + shift for i in range(8)})
    assert compare(tmp_path / "a", tmp_path / "b").table["p_value"].tolist() == pytest.approx([3 * 2 / 2**8] * 3)


def test_methods_of_one_sweep_only_and_settings_that_differ_are_listed(sweep, tmp_path) -> None:
    for folder, methods, gamma in (("a", ("m", "old"), 1.0), ("b", ("m", "new"), 1.2)):
        for method in methods:
            fill(sweep, tmp_path / folder, method, {"ca/1": 1.0}, config={"solver": {"gamma": gamma}})
    found = compare(tmp_path / "a", tmp_path / "b")
    assert (found.only_a, found.only_b) == (["old"], ["new"])
    assert ("solver.gamma", "1.0", "1.2") in found.settings


def test_two_runs_of_different_methods_are_compared_with_each_other(sweep, tmp_path) -> None:
    fill(sweep, tmp_path / "a", "m", {"ca/1": 1.0})
    fill(sweep, tmp_path / "b", "n", {"ca/1": 3.0})
    (row,) = compare(tmp_path / "a" / "m-seed0-ca", tmp_path / "b" / "n-seed0-ca").table.to_dict("records")
    assert (row["method"], row["difference"]) == ("m / n", 2.0)


def test_nothing_in_common_is_said_and_is_no_error(sweep, tmp_path) -> None:
    for folder, methods in (("a", ("m", "n")), ("b", ("o", "p"))):
        for method in methods:
            fill(sweep, tmp_path / folder, method, {"ca/1": 1.0})
    html, csv = write(compare(tmp_path / "a", tmp_path / "b"), tmp_path / "out")
    assert "no method and metric in common" in html.read_text()
    assert pd.read_csv(csv).columns.tolist() == COLUMNS


def test_the_command_prints_the_table_and_writes_page_and_csv(sweep, tmp_path, capsys) -> None:
    fill(sweep, tmp_path / "a", "m<b>", {f"ca/{i}": 1.0 + i for i in range(7)}, name="run")
    fill(sweep, tmp_path / "b", "m<b>", {f"ca/{i}": 2.0 + i for i in range(7)}, name="run")
    assert main([str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "m<b>" in capsys.readouterr().out
    assert "m&lt;b&gt;" in (tmp_path / "b" / "compare-a-b.html").read_text()
    assert (tmp_path / "b" / "compare-a-b.csv").exists()
    assert main([str(tmp_path / "a"), str(tmp_path / "absent")]) == 2


def test_means_are_those_of_the_instances_that_both_have(sweep, tmp_path) -> None:
    fill(sweep, tmp_path / "a", "m", {"ca/1": 1.0, "ca/2": 2.0, "ca/3": 90.0})
    fill(sweep, tmp_path / "b", "m", {"ca/1": 2.0, "ca/2": 4.0})
    (row,) = compare(tmp_path / "a", tmp_path / "b").table.to_dict("records")
    assert (row["mean_a"], row["mean_b"], row["difference"], row["n"]) == (1.5, 3.0, 1.5, 2)


def test_objectives_that_have_no_mean_are_left_out_and_that_is_said(sweep, tmp_path, capsys) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        sweep.folder = folder
        sweep.run(
            "m", 0, dataset="files", metrics={f"files/{i}": {"objective": 10.0**i, "seconds": 1.0} for i in range(3)}
        )
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found.table["metric"].tolist() == ["seconds"]
    assert found.left_out == ["objective: not averaged: the instances differ in scale, from 1 to 100"]
    main([str(tmp_path / "a"), str(tmp_path / "b")])
    assert found.left_out[0] in capsys.readouterr().out
    page, _ = write(found, tmp_path / "out")
    assert "the instances differ in scale, from 1 to 100" in page.read_text()
