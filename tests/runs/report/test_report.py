"""The report of a sweep, from its run records to its files."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from runs.anytime import Trace
from runs.claims.verdicts import CLAIM_COLUMNS, Verdict
from runs.record.left_out import WARNING_FILE
from runs.record.run_folder import RESULT_COLUMNS
from runs.record.sweep_folder import load
from runs.report import plots
from runs.report.build import build, main, print_to_terminal
from runs.report.tables import REPORT_COLUMNS
from runs.report.terminal import as_text

ROOT = Path(__file__).resolve().parents[3]
CLAIM = {
    "id": "gap",
    "statement": "good ends <lower>",
    "source": "abstract",
    "metric": "primal_gap",
    "better": "lower",
    "ours": "good",
    "against": "poor",
    "experiment": "lb_relax/table_small",
}
PUBLISHED = {
    "method": "good",
    "metric": "primal_gap",
    "value": 0.5,
    "unit": "%",
    "source": "Table <9>",
    "protocol": "1 h",
}


def test_the_protocol_of_published_runs_without_readable_values_is_told_once(sweep, conf) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0})
    known = [{"dataset": name, "source": "tables <1>", "protocol": f"60 min of {name}"} for name in ("mvc", "ca")]
    page = build(sweep.folder, conf(published=known)).html.read_text()
    assert page.count("The published values could not be read (tables &lt;1&gt;).") == 1
    assert "Protocol of mvc: 60 min of mvc; ca: 60 min of ca." in page
    assert "without a counterpart" not in page


def test_a_sweep_of_searches_leaves_every_file_of_the_contract(sweep, conf) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0})
    summary = build(sweep.folder, conf(claims=[CLAIM], published=[PUBLISHED]))
    folder = sweep.folder
    assert pd.read_csv(folder / "report.csv").columns.tolist() == REPORT_COLUMNS
    claims = pd.read_csv(folder / "claims.csv")
    assert claims.columns.tolist() == CLAIM_COLUMNS
    assert claims["status"].tolist() == ["reproduced"]
    results = pd.read_parquet(folder / "results.parquet")
    assert results.columns.tolist() == RESULT_COLUMNS
    assert {"primal_gap", "primal_integral", "best_performing_rate", "primal_bound"} <= set(results["metric"])
    names = ["gap_seconds", "gap_evaluations", "survival", "best_rate"]
    assert [path.name for path in summary.figures] == [f"{name}.png" for name in names]
    for path in summary.figures:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.width > 400
    assert summary.html == folder / "report.html"
    assert [j.status for j in summary.judgements] == [Verdict.REPRODUCED]


def test_the_page_puts_verdicts_first_and_escapes_what_comes_from_files(sweep, conf) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0}, instances=7)
    sweep.run("evil", 0, status="failed", config={"note": "</script><script>alert(1)</script>"})
    sweep.run("<img src=x>", 0, name="markup", metrics={"<i>/1": {"cost": 1.0}}, dataset="<i>")
    build(sweep.folder, conf(claims=[CLAIM], published=[PUBLISHED]))
    page = (sweep.folder / "report.html").read_text()
    order = [
        page.index(f'id="{name}"') for name in ("verdicts", "numbers", "figures", "instances", "environment", "jobs")
    ]
    assert order == sorted(order)
    assert "good ends &lt;lower&gt;" in page
    assert "Table &lt;9&gt;" in page
    assert "ValueError: broken &lt;b&gt;" in page
    for raw in ("<img src=x>", "<script>alert", "<i>/1", "broken <b>"):
        assert raw not in page
    assert "solver=good seed=2" in page


def test_the_page_asks_for_nothing_from_outside(sweep) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0}, seeds=1, instances=2)
    build(sweep.folder)
    page = (sweep.folder / "report.html").read_text()
    addresses = re.findall(r"""(?:src|srcset|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http" not in re.sub(r"data:[^\"]+|http-equiv", "", page)


def test_rebuilding_changes_nothing_but_the_date(sweep) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0}, seeds=2, instances=3)
    first = build(sweep.folder)
    before = {path.name: path.read_bytes() for path in (sweep.folder / "report.csv", *first.figures)}
    page = re.sub(r"Built [\d: -]+", "", first.html.read_text())
    second = build(sweep.folder)
    assert {path.name: path.read_bytes() for path in (sweep.folder / "report.csv", *second.figures)} == before
    assert re.sub(r"Built [\d: -]+", "", second.html.read_text()) == page
    assert len(load(sweep.folder).runs) == 4


def test_a_paper_without_searches_gets_a_figure_per_metric(sweep) -> None:
    for method, accuracy in (("simclr", 0.9), ("byol", 0.8)):
        for seed in range(3):
            values = {"all": {"accuracy": accuracy + seed / 100, "knn/top1": 0.5}}
            sweep.run(method, seed, paper="made_up", experiment="table", dataset="cifar10", metrics=values)
    summary = build(sweep.folder)
    assert [re.sub("-[0-9a-f]{10}", "", path.name) for path in summary.figures] == ["accuracy.png", "knn_top1.png"]
    means = summary.table.set_index(["method", "metric"])["mean"]
    assert means["simclr", "accuracy"] == pytest.approx(0.91)


def test_the_metrics_of_claims_are_drawn_first(sweep, conf, monkeypatch) -> None:
    monkeypatch.setattr(plots, "MAX_METRICS", 3)
    where = conf([{**CLAIM, "metric": "z_named"}], [])
    for method in ("good", "poor"):
        sweep.run(method, metrics={"x/1": {f"m{i:02}": 1.0 + i for i in range(40)} | {"z_named": 2.0}})
    assert build(sweep.folder, where).figures[0].name == "z_named.png"


def test_what_runs_warn_of_is_told_once_per_method(sweep) -> None:
    for method, seed in (("simclr", 0), ("collapsed", 0), ("collapsed", 1)):
        folder = sweep.run(method, seed, metrics={"x/1": {"knn": 50.0}})
        if method == "collapsed":
            (folder / WARNING_FILE).write_text(f"collapse after\nepoch {seed}\n")
    summary = build(sweep.folder)
    assert summary.problems == ["collapsed, 2 of 2 runs: collapse after epoch 0"] and summary.whole
    assert "collapsed, 2 of 2 runs" in summary.html.read_text()


def test_one_run_shows_what_it_drew_itself_and_no_bars_of_one_method(sweep) -> None:
    folder = sweep.run("simclr", metrics={"x/1": {"knn": 50.0}})
    (folder / "figures").mkdir()
    Image.new("RGB", (4, 3)).save(folder / "figures" / "spectra.png")
    assert [path.name for path in build(folder).figures] == ["spectra.png"]


def test_a_method_without_a_rival_has_all_its_metrics_one_below_the_other(sweep, capsys) -> None:
    folder = sweep.run("simclr", metrics={"x/1": {f"metric_{i}": 10.0 + i for i in range(9)}})
    print_to_terminal(build(folder))
    lines = [line.strip("│ ").split() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [words[0] for words in lines] == [f"metric_{i}" for i in range(9)]
    assert lines[3][-1] == "13"


def test_a_numeric_setting_that_the_sweep_varies_becomes_the_axis(sweep) -> None:
    for width in (8, 16, 32):
        sweep.run("net", 0, name=str(width), metrics={"all": {"loss": 1 / width}}, config={"model": {"width": width}})
    assert [path.name for path in build(sweep.folder).figures] == ["loss_over_width.png"]


def test_a_run_on_its_own_is_reported_without_touching_its_record(sweep) -> None:
    sweep.searches({"good": 0.3}, seeds=1, instances=2)
    (run,) = (path for path in sweep.folder.iterdir() if path.is_dir())
    before = (run / "results.parquet").read_bytes()
    summary = build(run)
    assert (run / "results.parquet").read_bytes() == before
    assert summary.html.parent == run
    assert {"primal_bound", "feasible"} <= set(summary.table["metric"])
    assert "primal_gap" not in set(summary.table["metric"])


def test_the_terminal_shows_objective_and_status_of_each_instance_and_names_a_cause_once(sweep, capsys) -> None:
    flags = {"feasible": 1.0, "proved": 0.0, "infeasible": 0.0, "unbounded": 0.0}
    for method, value in (("bnb", 1234567.0), ("random", 30.0)):
        found = {
            "files/a": flags | {"primal_bound": value, "dual_bound": 1.5},
            "files/b": flags | {"feasible": 0.0, "proved": 1.0, "infeasible": 1.0},
        }
        traces = {"files/a": Trace(seconds=[1.0], evaluations=[1], objective=[value], bound=[np.nan])}
        folder = sweep.run(method, 0, dataset="files", metrics=found, traces=traces)
        (folder / "metrics.json").write_text(
            json.dumps({"metrics": {}, "instance_errors": {"files/c": "c.mps is torn"}})
        )
    summary = build(sweep.folder)
    print_to_terminal(summary)
    printed = capsys.readouterr().out
    assert "1234567 feasible, bound 1.5" in printed
    assert "30 feasible, bound 1.5" in printed
    assert printed.count("infeasible") == 2
    assert printed.count("no result for files/c: c.mps is torn") == 1
    page = summary.html.read_text()
    assert '"no result"' in page
    assert '"infeasible"' in page


def test_the_figures_of_many_runs_stay_in_their_folders(sweep) -> None:
    png = Image.new("RGB", (2, 2))
    for seed in range(8):
        path = sweep.run("a", seed, metrics={"x/1": {"cost": 1.0 + seed}}) / "figures" / "own.png"
        path.parent.mkdir()
        png.save(path)
        assert ("own: a, seed 0" in build(sweep.folder).html.read_text()) == (seed < 6)


def test_lost_runs_are_named_with_their_cause_and_the_rest_is_reported(sweep, capsys) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0}, seeds=1, instances=2)
    sweep.run("failing", 0, status="failed")
    sweep.run("killed", 0, status="killed")
    (sweep.run("torn", 0, metrics={"all": {"a": 1.0}}) / "results.parquet").write_bytes(b"PAR1")
    summary = build(sweep.folder)
    assert sorted((run.method, run.state) for run in summary.failed) == [
        ("failing", "failed"),
        ("killed", "killed"),
        ("torn", "corrupt"),
    ]
    print_to_terminal(summary)
    printed = capsys.readouterr().out
    for text in ("primal gap", "wins", "ValueError: broken <b>", "torn-seed0", "report.html", "gap_seconds.png"):
        assert text in printed


def test_a_sweep_in_which_nothing_finished_still_gets_its_page(sweep) -> None:
    sweep.run("failing", 0, status="failed")
    summary = build(sweep.folder)
    assert summary.table.empty
    assert "No run has finished" in summary.html.read_text()
    assert pd.read_parquet(sweep.folder / "results.parquet").columns.tolist() == RESULT_COLUMNS


def test_a_bad_claims_file_is_named_in_the_report_and_costs_nothing_else(sweep, conf) -> None:
    sweep.run("a", 0, metrics={"all": {"accuracy": 0.9}})
    summary = build(sweep.folder, conf(claims="- {id: x}"))
    assert "claims.yaml: entry 'x'" in summary.problems[0]
    assert "claims.yaml: entry &#39;x&#39;" in summary.html.read_text()
    assert len(summary.table) == 1


def test_claims_and_commands_of_a_paper_in_the_users_own_configuration(sweep, conf) -> None:
    own = conf(claims="- {id: mine}", paper="mine")
    run = sweep.run("a", 0, paper="mine", metrics={"all": {"accuracy": 0.9}})
    about = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(about | {"config_dir": str(own)}))
    summary = build(sweep.folder)
    assert f"{own}/experiment/mine/claims.yaml: entry 'mine'" in summary.problems[0]
    assert f"python launch.py --config-dir {own} experiment=mine/table_small" in summary.html.read_text()


def test_the_terminal_shows_the_metric_of_a_claim_first_and_methods_in_the_order_of_their_numbers(sweep, conf) -> None:
    for method in ("ratio 10", "ratio 2"):
        for seed in range(3):
            sweep.run(method, seed, metrics={"all": dict.fromkeys("abcdefz", float(seed))})
    claim = CLAIM | {"metric": "z", "ours": "ratio 10", "against": "ratio 2"}
    summary = build(sweep.folder, conf(claims=[claim]))
    text = as_text(summary)
    assert re.search(r"method\W+z\W+a\W+b\W+c\W+d\b", text)
    assert text.index("ratio 2 ") < text.index("ratio 10 ")


def _build_many(folder: Path) -> None:
    for _ in range(3):
        build(folder)


def test_reports_built_at_once_do_not_corrupt_each_other(sweep) -> None:
    for method in ("a", "b"):
        sweep.run(method, 0, metrics={"all": {"accuracy": 0.9}})
    workers = [multiprocessing.get_context("fork").Process(target=_build_many, args=(sweep.folder,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert (sweep.folder / "report.html").read_text().rstrip().endswith("</html>")
    assert len(pd.read_csv(sweep.folder / "report.csv")) == 2
    assert not list(sweep.folder.rglob("*.part"))


def test_the_command_says_by_its_exit_code_what_happened(sweep, capsys) -> None:
    folder = sweep.run("a", 0, metrics={"all": {"accuracy": 0.9}})
    assert main([str(folder)]) == 0
    sweep.run("b", 0, status="failed")
    assert main([str(sweep.folder)]) == 1
    assert main([str(sweep.folder / "absent")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_the_module_runs_as_a_command(sweep) -> None:
    folder = sweep.run("a", 0, metrics={"all": {"accuracy": 0.9}})
    command = [sys.executable, "-m", "runs.report", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "accuracy" in done.stdout
    assert "report.html" in done.stdout


def test_thousands_of_instances_make_a_page_of_moderate_size(sweep) -> None:
    for method in ("a", "b"):
        sweep.run(method, 0, metrics={f"x/{i}": {"cost": i / 7, "time": 1.0} for i in range(5000)})
    summary = build(sweep.folder)
    assert summary.html.stat().st_size < 3_000_000
    assert summary.html.read_text().count("<tr") < 100


def test_what_the_launcher_left_about_the_sweep_is_shown(sweep) -> None:
    folder = sweep.run("a", 0, metrics={"x/1": {"cost": 1.0}})
    record = {"metrics": {}, "instance_errors": {"x/2": "InvalidProblem: <row 3>"}}
    (folder / "metrics.json").write_text(json.dumps(record))
    (sweep.folder / "sweep.json").write_text(
        json.dumps({"command": ["python", "launch.py", "-m", "solver=a,b"], "jobs": 2})
    )
    (sweep.folder / "not_begun.json").write_text(json.dumps({"jobs": [["solver=b"]]}))
    summary = build(sweep.folder)
    assert summary.lost_instances == ["no result for x/2: InvalidProblem: <row 3>"]
    assert not summary.whole
    page = summary.html.read_text()
    for text in (
        "no result for x/2: InvalidProblem: &lt;row 3&gt;",
        "never began: solver=b",
        "launch.py -m solver=a,b",
    ):
        assert text in page


def test_figures_that_the_runs_drew_are_shown_below_the_report_s_own(sweep) -> None:
    folder = sweep.run("a", 3, metrics={"x/1": {"cost": 1.0}})
    (folder / "figures").mkdir()
    Image.new("RGB", (4, 3)).save(folder / "figures" / "attention.png")
    for place in (sweep.folder, folder):
        assert "attention: a, seed 3" in build(place).html.read_text()


@pytest.mark.parametrize(
    "content", ["[1]", "3", "{", '{"metrics": 3, "wall_seconds": "x", "instance_errors": [1]}', ""]
)
@pytest.mark.parametrize("file", ["environment.json", "metrics.json", "failure.json", "config.yaml", "traces.parquet"])
def test_no_content_of_a_record_stops_the_report_of_the_others(sweep, file: str, content: str) -> None:
    sweep.run("good", 0, metrics={"all": {"accuracy": 0.9}})
    folder = sweep.run(
        "odd", 0, metrics={"all": {"accuracy": 0.8}}, status="failed" if "failure" in file else "finished"
    )
    (folder / file).write_text(content)
    summary = build(sweep.folder)
    print_to_terminal(summary)
    assert "good" in set(summary.table["method"])
    assert "odd-seed0" in summary.html.read_text()


def searched(sweep, method: str, found: dict[str, tuple[float, float]], maximized: tuple[str, ...] = ()) -> None:
    """A run with objective and bound by instance; no solution where the objective is NaN."""
    metrics, traces = {}, {}
    for name, (value, bound) in found.items():
        solved = not np.isnan(value)
        flags = {"feasible": float(solved), "proved": 0.0, "infeasible": 0.0, "unbounded": 0.0}
        metrics[f"files/{name}"] = {"primal_bound": value, "dual_bound": bound, "seconds": 1.0, **flags}
        if solved:
            traces[f"files/{name}"] = Trace(name in maximized, [0.5], [1], [value], [bound])
    sweep.run(method, 0, paper="made_up", experiment="files", dataset="files", metrics=metrics, traces=traces)


SEARCHING = {
    "paper": "made_up",
    "metrics": {"extends": "search", "headline": {"*": ["primal_gap", "primal_bound", "dual_bound"]}},
}


def test_methods_stand_beside_each_other_on_what_all_of_them_solved(sweep, conf) -> None:
    none = float("nan")
    searched(sweep, "bnb", {"a": (20.0, 16.0), "b": (40.0, 40.0), "c": (none, 100.0)})
    searched(sweep, "lns", {"a": (16.0, none), "b": (50.0, none), "c": (125.0, none)})
    summary = build(sweep.folder, conf(**SEARCHING))
    cells = summary.table.set_index(["method", "metric"])
    means, n = cells["mean"], cells["n"]
    assert (means["bnb", "primal_bound"], means["lns", "primal_bound"]) == (30.0, 33.0)  # lns has 63.7 over all three
    assert means["bnb", "dual_bound"] == 28.0  # and not 52, above both
    assert (means["bnb", "primal_gap"], n["bnb", "primal_gap"]) == (pytest.approx((0.2 + 0 + 1) / 3), 3)
    assert (means["lns", "primal_gap"], n["lns", "primal_bound"]) == (pytest.approx((0 + 0.2 + 0) / 3), 2)
    assert means["lns", "proved_gap"] == pytest.approx((0 + 0.2 + 0.2) / 3)
    assert summary.notes == [
        "primal gap: to the best objective of all methods here, the optimum on 2 of 3 instances; "
        "the best proved bound leaves room for up to 20 %",
        "bound: over the 2 of 3 instances that all methods have; left out: files/c",
        "objective: over the 2 of 3 instances that all methods have; left out: files/c (not bnb)",
    ]
    told, page = " ".join(as_text(summary).split()), summary.html.read_text()
    assert re.search(r"method\W+primal gap\W+gap to the bound\W+objective\W+bound\W+n\b", told)
    for note in summary.notes:
        assert note in told
        assert note[1:] in page


def test_the_gap_of_the_best_method_is_not_nothing_where_a_bound_says_otherwise(sweep, conf) -> None:
    searched(sweep, "best", {"a": (924.0, float("nan"))}, maximized=("a",))
    searched(sweep, "bnb", {"a": (900.0, 944.0)}, maximized=("a",))
    summary = build(sweep.folder, conf(**SEARCHING))
    means = summary.table.set_index(["method", "metric"])["mean"]
    assert means["best", "primal_gap"] == 0.0
    assert means["best", "proved_gap"] == pytest.approx(20 / 944)
    assert summary.notes[0].endswith("proved optimal nowhere; the best proved bound leaves room for up to 2.12 %")


def test_what_is_maximised_and_what_is_minimised_is_compared_by_gaps_alone(sweep, conf) -> None:
    for method in ("one", "other"):
        searched(sweep, method, {"a": (10.0, 10.0), "b": (12.0, 12.0)}, maximized=("b",))
    summary = build(sweep.folder, conf(**SEARCHING))
    assert set(summary.table["metric"]) & {"primal_bound", "dual_bound", "primal_gap"} == {"primal_gap"}
    assert "bound, objective: not averaged: some instances are maximised, others minimised" in summary.notes


def test_published_numbers_without_a_counterpart_are_one_folded_line(sweep, conf) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0})
    numbers = [{"method": f"m{i}", "metric": "primal_gap", "value": 1.0, "source": "Table 2"} for i in range(56)]
    page = build(sweep.folder, conf(published=numbers)).html.read_text()
    assert "<details><summary>56 published numbers without a counterpart in this sweep</summary>" in page
    assert "Beside the published numbers" not in page
    assert "<details open" not in page


def test_a_sweep_of_several_states_of_the_code_says_so(sweep, conf) -> None:
    folders = [sweep.run("random", seed, metrics={"a": {"primal_gap": 0.1}}) for seed in range(3)]

    def made_by(folder: Path, code: str) -> None:
        about = json.loads((folder / "environment.json").read_text())
        (folder / "environment.json").write_text(json.dumps(about | {"code": code, "revision": f"of {code}"}))

    for folder in folders:
        made_by(folder, "one")
    assert build(sweep.folder, conf()).problems == []
    made_by(folders[1], "other")
    told = "2 of of one (code one), 1 of of other (code other)"
    assert build(sweep.folder, conf()).problems == [
        f"these runs were made by 2 states of the code: {told}; force=true makes them anew by one"
    ]
