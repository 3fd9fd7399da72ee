"""One run that holds the results of several methods and seeds, as one tensor program trains them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from runs.anytime import Trace
from runs.claims.verdicts import Verdict
from runs.compare import compare
from runs.errors import ConfigError, SolverFailure
from runs.loggers.local import RunInfo
from runs.loggers.log import RunLog
from runs.record import instances
from runs.record.instances import InstanceResult, result_path
from runs.record.run_record import RunRecord, RunStatus, score_of, status
from runs.record.sweep_folder import load
from runs.report.build import build
from runs.text import printable

SEEDS = range(5)
COSTS = {"ours": 1.0, "theirs": 2.0}


def results_of(costs: dict[str, float], seeds: range = SEEDS) -> list[InstanceResult]:
    """A result per method, seed and one of six instances; the cost of a method plus a spread over seeds and instances."""
    return [
        InstanceResult(i, f"text/{i}", {"cost": cost * (1 + 0.01 * seed) + 0.1 * i}, method=method, seed=seed)
        for seed in seeds
        for method, cost in costs.items()
        for i in range(6)
    ]


def finished(
    folder: Path, results: list[InstanceResult], measured: dict[str, float] | None = None, **settings: Any
) -> Path:
    """A run folder that the real record wrote."""
    base = {"paper": "lb_relax", "experiment": "table_small", "method": "batch", "seed": 0, "data": {"name": "text"}}
    cfg = OmegaConf.create(base | {"force": False, "debug": False, "score": None} | settings)
    with RunRecord(folder, cfg, ["experiment=lb_relax/table_small"]) as record:
        for result in results:
            instances.save(folder, result)
        with RunLog(RunInfo(folder, {}, "group", folder.name, "revision"), {}) as log:
            record.finish([measured or {}], log)
    return folder


def test_what_a_task_drew_reaches_the_log(tmp_path: Path) -> None:
    drawn = tmp_path / "run" / "figures" / "attention.png"
    drawn.parent.mkdir(parents=True)
    drawn.write_bytes(b"a picture")
    folder = finished(tmp_path / "run", results_of({"a": 1.0}))
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["path"] for event in events if event.get("name") == "attention"] == ["figures/attention.png"]


def test_metrics_that_are_no_numbers_are_named_and_a_run_of_nothing_else_has_failed(tmp_path: Path) -> None:
    some = finished(tmp_path / "some", [], {"accuracy": 90.0, "alpha": np.nan, "rate": np.inf})
    assert (some / "warning.txt").read_text() == "not finite: alpha, rate\n"
    assert not (finished(tmp_path / "good", [], {"accuracy": 90.0}) / "warning.txt").exists()
    with pytest.raises(SolverFailure, match="nothing that was measured is a finite number: loss, perplexity"):
        finished(tmp_path / "none", [], {"loss": np.nan, "perplexity": np.inf})
    assert status(tmp_path / "none") == RunStatus.FAILED
    with pytest.raises(SolverFailure, match="score=alpha: it is nan"):
        finished(tmp_path / "score", [], {"accuracy": 90.0, "alpha": np.nan}, score="alpha")


def test_objectives_of_several_senses_or_scales_are_not_averaged_and_are_no_score(tmp_path: Path) -> None:
    def result(index: int, value: float, maximize: bool) -> InstanceResult:
        trace = Trace(maximize=maximize)
        trace.record(1.0, 1, value)
        return InstanceResult(index, f"set/{index}", {"primal_bound": value, "seconds": 1.0 + index}, trace=trace)

    alike, senses, scales = (
        [result(0, 4.0, False), result(1, value, maximize)]
        for value, maximize in ((6.0, False), (6.0, True), (60.0, False))
    )
    assert instances.means(alike) == {"primal_bound": 5.0, "seconds": 1.5}
    for results, reason in ((senses, "some instances are maximised, others minimised"), (scales, "differ in scale")):
        assert instances.means(results) == {"seconds": 1.5}
        assert reason in instances.not_averaged(results)["primal_bound"]
    folder = finished(tmp_path / "run", senses, score="primal_bound")
    assert status(folder) == RunStatus.FINISHED
    record = json.loads((folder / "metrics.json").read_text())
    assert score_of(record, "seconds") == 1.5 and score_of(record, None) is None
    with pytest.raises(
        ConfigError, match=r"score=primal_bound: not averaged: some instances are maximised.*run is kept"
    ):
        score_of(record, "primal_bound")
    with pytest.raises(
        ConfigError, match=r"score=gap: this run measures no such metric, only seconds. The run is kept"
    ):
        score_of(record, "gap")


def test_a_mean_that_lacks_an_instance_is_no_score(tmp_path: Path) -> None:
    found = [
        InstanceResult(0, "set/0", {"gap": 0.5, "seconds": 1.0}),
        InstanceResult(1, "set/1", {"gap": np.nan, "seconds": 2.0}),
    ]
    folder = finished(tmp_path / "run", found, score="gap")
    record = json.loads((folder / "metrics.json").read_text())
    assert record["metrics"]["gap"] == 0.5 and score_of(record, "seconds") == 1.5
    with pytest.raises(ConfigError, match=r"score=gap: 1 instances have no value.* reward a run that solves less"):
        score_of(record, "gap")
    failed = finished(tmp_path / "failed", [found[0], InstanceResult(1, "set/1", {}, error="broken")], score="gap")
    with pytest.raises(ConfigError, match="score=gap: 1 instances have no value"):
        score_of(json.loads((failed / "metrics.json").read_text()), "gap")
    several = [InstanceResult(0, "set/0", {"gap": value}, method=name) for name, value in (("a", 1.0), ("b", np.inf))]
    assert instances.without_value(several) == {"gap/b": 1}


def test_methods_of_one_run_are_averaged_over_what_all_of_them_have() -> None:
    found = [InstanceResult(i, f"text/{i}", {"cost": cost}, method="a") for i, cost in enumerate((1.0, 9.0))]
    assert instances.means([*found, InstanceResult(0, "text/0", {"cost": 2.0}, method="b")]) == {
        "cost/a": 1.0,
        "cost/b": 2.0,
    }


def test_results_of_one_instance_by_several_methods_and_seeds_lie_in_files_of_their_own(tmp_path: Path) -> None:
    whose = [(None, None), ("a", None), ("a", 1), ("a", 11), ("a-seed1", 1), ("A b", 1), ("A_b", 1), (None, 1)]
    whose += [("x" * 300, 1), ("x" * 301, 1)]
    for number, (method, seed) in enumerate(whose):
        result = InstanceResult(number, "set/i", {"cost": float(number)}, method=method, seed=seed)
        instances.save(tmp_path, result)
        assert instances.load(result_path(tmp_path, "set/i", method, seed)) == result
    found = instances.load_all(tmp_path)
    assert [(result.method, result.seed) for result in found] == whose


def test_the_tables_say_whose_each_row_is_and_the_record_has_a_mean_per_method(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", results_of(COSTS))
    table = pd.read_parquet(folder / "results.parquet")
    assert set(zip(table["method"], table["seed"], strict=True)) == {(m, s) for m in COSTS for s in SEEDS}
    means = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert means == {f"cost/{m}": pytest.approx(1.02 * cost + 0.25) for m, cost in COSTS.items()}


def test_a_run_of_one_method_keeps_the_plain_names_of_its_means() -> None:
    alone = [InstanceResult(0, "a", {"cost": 1.0}), InstanceResult(1, "b", {"cost": float("nan")})]
    assert instances.means(alone) == {"cost": 1.0}
    assert list(instances.means(results_of({"ours": 1.0}))) == ["cost"]


def test_the_report_counts_seeds_within_the_run_and_judges_its_claims(tmp_path: Path, conf) -> None:
    claim = {"id": "c", "statement": "ours is cheaper", "source": "T1", "metric": "cost", "better": "lower"}
    claim |= {"ours": "ours", "against": "theirs", "experiment": "lb_relax/table_small"}
    claim |= {"test": {"kind": "t", "over": "seeds"}}
    theirs = {"method": "ours", "metric": "cost", "value": 1.1, "source": "Table 1"}
    folder = finished(tmp_path / "sweep" / "run", results_of(COSTS))
    summary = build(tmp_path / "sweep", conf(claims=[claim], published=[theirs]))
    table = summary.table.set_index("method")
    assert table["n"].to_dict() == {"ours": 30, "theirs": 30}
    assert table["ci_low"].notna().all()
    assert table.loc["ours", "published"] == 1.1
    (judged,) = summary.judgements
    assert (judged.status, judged.effect.n) == (Verdict.REPRODUCED, 5)
    page = summary.html.read_text()
    rows = re.search(r'id="instance-results">(.*?)</script>', page, re.DOTALL)
    assert rows is not None
    assert json.loads(rows[1])["total"] == 60
    assert "ours, theirs" in page  # the row of the run among the commands
    assert page.count('<a href="#runs-0">command</a>') == 2
    assert len(load(folder).results) == 60


def test_runs_that_share_a_method_name_their_settings_on_its_rows_and_on_no_others(tmp_path: Path) -> None:
    for rate in (0.1, 0.2):
        own = {"shared": rate, f"own_{rate:g}": 1.0}
        finished(tmp_path / f"{rate}", results_of(own), optimizer={"rate": rate})
    sweep = load(tmp_path)
    assert {run.method for run in sweep.runs} == {"batch"}
    names = ["own_0.1", "own_0.2", "shared [rate=0.1]", "shared [rate=0.2]"]
    assert sorted(set(sweep.results["method"])) == names
    costs = sweep.results.groupby("method")["value"].mean()
    assert costs["shared [rate=0.2]"] - costs["shared [rate=0.1]"] == pytest.approx(0.102)


def test_runs_that_split_methods_or_seeds_between_them_are_no_rivals(tmp_path: Path) -> None:
    for part, (method, seeds) in enumerate((("a", range(3)), ("b", range(3)), ("a", range(3, 6)))):
        finished(tmp_path / f"{part}", results_of({method: 1.0}, seeds), task={"part": part})
    results = load(tmp_path).results
    assert sorted(set(results["method"])) == ["a", "b"]
    assert sorted(set(results.loc[results["method"] == "a", "seed"])) == [0, 1, 2, 3, 4, 5]


def test_a_numeric_setting_is_drawn_along_for_every_method_of_its_runs(tmp_path: Path) -> None:
    for rate in (0.1, 0.2, 0.3):
        finished(tmp_path / f"{rate}", results_of({"a": rate, "b": 1.0}), optimizer={"rate": rate})
    assert [path.name for path in build(tmp_path).figures] == ["cost_over_rate.png"]


def test_searches_of_several_methods_in_one_run_are_scored_against_each_other(tmp_path: Path) -> None:
    results = []
    for method, final in (("good", 10.0), ("poor", 20.0)):
        for seed in (0, 1):
            trace = Trace()
            trace.record(0.1, 1, 30.0)
            trace.record(0.5, 2, final)
            ended = {"primal_bound": final, "feasible": 1.0}
            results.append(InstanceResult(0, "text/0", ended, trace, method=method, seed=seed))
    folder = finished(tmp_path / "run", results)
    assert (folder / "figures" / "anytime.png").exists()
    gaps = build(folder).table.set_index(["method", "metric"])["mean"]
    assert gaps["good", "primal_gap"] == 0.0
    assert gaps["poor", "primal_gap"] == pytest.approx(0.5)


def test_two_such_runs_are_compared_method_by_method(tmp_path: Path) -> None:
    a = finished(tmp_path / "a", results_of(COSTS))
    b = finished(tmp_path / "b", results_of({"ours": 1.0, "theirs": 1.5}))
    table = compare(a, b).table.set_index("method")
    assert table["difference"].to_dict() == pytest.approx({"ours": 0.0, "theirs": -0.51})
    assert np.isclose(table.loc["ours", "p_value"], 1.0)


def test_a_result_that_is_missing_says_whose_it_was(tmp_path: Path) -> None:
    lost = [InstanceResult(0, "text/0", {}, error="InvalidProblem: no", method=m, seed=1) for m in ("b", "c")]
    summary = build(finished(tmp_path / "run", [*lost, *results_of({"a": 1.0})]))
    assert summary.lost_instances == [f"no result for text/0, {m}, seed 1: InvalidProblem: no" for m in ("b", "c")]


def test_a_seed_that_is_no_number_makes_the_run_unreadable_and_no_more(tmp_path: Path) -> None:
    folder = finished(tmp_path / "sweep" / "odd", results_of({"a": 1.0}))
    table = pd.read_parquet(folder / "results.parquet")
    table.assign(seed="many").to_parquet(folder / "results.parquet")
    finished(tmp_path / "sweep" / "good", results_of({"a": 1.0}))
    states = {run.folder.name: run.state for run in load(tmp_path / "sweep").runs}
    assert states == {"odd": "corrupt", "good": "finished"}


@pytest.mark.parametrize("name", ["price$1^$", "\\frac{", "植" * 78, "caf\udce9", "x" * 600, "\x1b[2J"])
def test_a_run_is_finished_whatever_its_instances_are_called(name: str, tmp_path: Path) -> None:
    trace = Trace(seconds=[0.1], evaluations=[1], objective=[2.0], bound=[float("nan")])
    instances.save(tmp_path, InstanceResult(0, f"files/{name}", {"cost": 1.0}, trace))
    with RunLog(RunInfo(tmp_path, {}, "g", "n", "r"), {}) as log:
        instances.write_tables(tmp_path, instances.load_all(tmp_path), {"method": "m", "seed": 0}, log)
    (shown,) = set(pd.read_parquet(tmp_path / "results.parquet")["instance"])
    assert shown == printable(f"files/{name}")
    assert set(pd.read_parquet(tmp_path / "traces.parquet")["instance"]) == {shown}
    assert (tmp_path / "figures" / "anytime.png").exists()
