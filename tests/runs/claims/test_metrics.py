"""What a paper declares of its metrics, and how they are then shown; the made-up paper has milliseconds and decibels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runs.claims.claim import load_claims
from runs.claims.metric import MEAN_KINDS, SHARE, Metric
from runs.claims.metrics import Metrics, load_metrics
from runs.claims.number_format import number
from runs.claims.published import load_published
from runs.environment import CONF
from runs.errors import ConfigError
from runs.launch.rows import choices
from runs.record.outcomes import COLUMNS, FLAGS
from runs.record.run_folder import TRACE_COLUMNS
from runs.report import plots
from runs.report.build import build
from runs.report.terminal import as_text

PLAIN = Metric("loss", "loss", unit="nats")
PAPERS = sorted(path.parent.name for path in (CONF / "experiment").glob("*/metrics.yaml"))
COST = {"label": "cost", "unit": "ms", "direction": "lower", "description": "of the slowest device"}
GAIN = {"label": "gain at *", "unit": "dB", "direction": "higher", "digits": 3}
DECLARATION = {
    "extends": "search",
    "metrics": {
        "cost": COST,
        "gain_*": GAIN,
        "valid": {"label": "valid plans", "direction": "higher", "format": "percent"},
        "tables": {"label": "tables", "direction": "none", "format": "integer"},
    },
    "headline": {"antenna*": ["gain_*", "cost"], "*": ["cost", "valid"]},
}


def metrics(conf, **changes: Any) -> Metrics:
    return load_metrics("made_up", conf(metrics=DECLARATION | changes, paper="made_up"))


def test_a_declared_metric_is_shown_with_its_label_its_unit_and_its_digits(conf) -> None:
    found = metrics(conf)
    assert found.of("cost").title == "cost (ms)"
    assert found.of("cost").quantity(12.34567) == "12.35 ms"
    assert found.of("gain_2_4").label == "gain at 2.4"
    assert found.of("gain_2_4").quantity(-10.04) == "-10 dB"
    assert found.of("valid").quantity(0.98765) == "98.8 %"
    assert found.of("valid").interval(0.9, 1.0) == "[90, 100]"
    assert found.of("tables").quantity(12.0) == "12"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (PLAIN.interval(1e-69, 0.5), "[0, 0.5]"),
        (PLAIN.interval(-3e-17, 2.0), "[0, 2]"),
        (PLAIN.interval(1e-69, 2e-69, scale=4.0), "[0, 0]"),
        (PLAIN.interval(1e-69, 2e-69), "[1e-69, 2e-69]"),
        (PLAIN.interval(None, 1.0), ""),
        (PLAIN.quantity(1e-69, scale=2.0), "0 nats"),
        (PLAIN.quantity(float("nan")), "\u2013"),
        (SHARE.interval(1e-69, 1e-15), "[0, 0]"),
        (SHARE.quantity(1e-69), "0 %"),
        (SHARE.quantity(0.0123), "1.23 %"),
        (Metric("angle", "angle", format="scientific").quantity(0.0000012345), "1.23e-06"),
        (Metric("angle", "angle", format="scientific").quantity(0.0), "0"),
    ],
)
def test_what_is_nothing_beside_its_quantity_reads_as_zero(text: str, shown: str) -> None:
    assert text == shown


@given(st.floats(1e-9, 1e9))
def test_a_number_of_its_quantity_s_own_size_is_never_zero(value: float) -> None:
    assert Metric("loss", "loss").quantity(value, scale=value) == number(value) != "0"


def test_a_metric_that_nobody_declared_is_shown_by_its_name_in_plain_numbers(conf) -> None:
    assert metrics(conf).of("loss") == Metric("loss", label="loss")
    assert metrics(conf).of("loss").quantity(0.0123456) == "0.01235"
    assert load_metrics("a_paper_without_a_file").of("loss").title == "loss"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("cost/dlrm_8", "cost, dlrm_8 (ms)"),
        ("cost_at_30_seconds", "cost at 30 seconds (ms)"),
        ("primal_gap_at_0.5_seconds/ca_small", "primal gap at 0.5 seconds, ca_small (%)"),
        ("gain_3/array", "gain at 3, array (dB)"),
    ],
)
def test_a_metric_of_one_data_set_or_moment_is_shown_as_its_base(conf, name: str, title: str) -> None:
    found = metrics(conf).of(name)
    assert (found.name, found.title) == (name, title)


def test_a_family_is_named_by_the_metric_that_its_star_stands_for(conf) -> None:
    both = {"cost": COST, "lost_*": {"label": "lost by *", "direction": "lower"}}
    found = metrics(conf, metrics=both, headline={})
    assert found.of("lost_cost").label == "lost by cost"
    assert found.of("lost_sleep").label == "lost by sleep"


@pytest.mark.parametrize(
    ("experiment", "clock", "first"),
    [
        ("antenna_small", "seconds", ["gain_2", "gain_10", "cost"]),
        ("table_1", "seconds", ["cost"]),
    ],
)
def test_the_first_pattern_that_fits_gives_the_headline(conf, experiment: str, clock: Any, first: list[str]) -> None:
    measured = {"loss", "cost", "cost/a", "gain_10", "gain_2"}
    assert metrics(conf).headline(experiment, measured, clock) == first


def test_a_headline_falls_back_on_the_next_list_where_nothing_of_the_first_is_measured() -> None:
    search = load_metrics("lb_relax")
    gap = {"primal_gap", "primal_integral", "primal_integral_evaluations", "proved", "seconds"}
    assert search.headline("demo", gap, "seconds") == ["primal_gap", "primal_integral"]
    assert search.headline("demo", gap, "evaluations") == ["primal_gap", "primal_integral_evaluations"]
    assert search.headline("demo", {"proved", "seconds"}, "seconds") == ["proved", "seconds"]
    assert search.headline("demo", {"loss"}, "seconds") == []


def test_what_a_paper_says_itself_counts_before_what_it_takes_over(conf) -> None:
    own = {"primal_gap": {"label": "regret", "unit": "dB", "direction": "higher"}}
    found = metrics(conf, metrics=own, headline={"special": ["seconds"]})
    assert found.of("primal_gap").title == "regret (dB)"
    assert found.of("primal_integral").unit == "s"
    assert found.headline("special", {"seconds", "primal_gap"}) == ["seconds"]
    assert found.headline("another", {"seconds", "primal_gap"}) == ["primal_gap"]


def test_a_folder_of_one_s_own_extends_the_paper_of_the_repository_that_has_its_name(conf) -> None:
    own = conf(metrics={"extends": "lb_relax", "metrics": {"cost": COST}}, paper="lb_relax")
    found = load_metrics("lb_relax", own)
    assert found.of("cost").unit == "ms"
    assert found.of("step_seconds").unit == "s"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"unti": "ms"}, "unknown field 'unti'; did you mean 'unit'?"),
        ({"label": ""}, "field 'label' must be a text, found ''"),
        ({"label": "cost of *"}, "field 'label' must have a '*' just where the name has one, found 'cost of *'"),
        ({"direction": None}, "field 'direction' must be a text, found None"),
        ({"direction": "smaller"}, "field 'direction' must be lower or higher or none, found 'smaller'"),
        ({"unit": 3}, "field 'unit' must be a text, found 3"),
        ({"format": "percentage"}, "field 'format' must be significant or percent or integer or scientific, found"),
        ({"format": "percent"}, "field 'unit' does not go with format percent"),
        ({"per_instance": 1}, "field 'per_instance' must be true or false, found 1"),
        ({"beside": [1]}, "field 'beside': expected a name or a list of names, found [1]"),
        ({"digits": 0}, "field 'digits' must be 1 to 15 significant digits, and none for an integer; found 0"),
        ({"digits": True}, "field 'digits' must be 1 to 15 significant digits"),
        (
            {"format": "integer", "digits": 2},
            "field 'digits' must be 1 to 15 significant digits, and none for an integer",
        ),
        ({"clock": "minutes"}, "field 'clock' must be seconds or evaluations, found 'minutes'"),
        ({"description": 1}, "field 'description' must be a text, found 1"),
        ({"mean": "median"}, f"field 'mean' must be {' or '.join(MEAN_KINDS)}, found 'median'"),
        ({"ratio": "cost"}, "field 'ratio': expected a mapping, found str"),
        ({"ratio": {"of": "cost"}}, "field 'ratio.to' must be a text, found None"),
    ],
)
def test_a_bad_entry_is_refused_with_file_entry_and_field(conf, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        metrics(conf, metrics={"good": COST, "bad": COST | entry}, headline={})
    assert "made_up/metrics.yaml: metric 'bad': " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": {}}, "metrics.yaml: unknown field 'metric'; did you mean 'metrics'?"),
        ({"metrics": [COST]}, "field 'metrics': expected a mapping, found list"),
        ({"metrics": {"cost": "ms"}, "headline": {}}, "metric 'cost': expected a mapping, found str"),
        ({"metrics": {"*": COST | {"label": "*"}}}, "the name of a family has one '*', and something beside it"),
        ({"headline": {"table": ["costs"]}}, "headline 'table': metric 'costs' is not declared; did you mean 'cost'?"),
        ({"headline": {"table": ["loss_*"]}}, "headline 'table': metric 'loss_*' is not declared"),
        ({"headline": {"table": []}}, "headline 'table': expected a name or a list of names, found []"),
        ({"headline": {"table": [["cost"], 3]}}, "headline 'table': expected a name or a list of names, found 3"),
        ({"headline": ["cost"]}, "field 'headline': expected a mapping, found list"),
        (
            {"extends": "serach"},
            "field 'extends' names no set of metrics and no paper: 'serach'; did you mean 'search'?",
        ),
        ({"extends": 3}, "field 'extends': expected a name or a list of names, found 3"),
        ({"extends": "made_up"}, "field 'extends': 'made_up' extends this in turn"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_field(conf, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=r"made_up/metrics\.yaml") as error:
        metrics(conf, **changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("metrics: [", "not valid YAML"),
        ("- cost", "expected a mapping, found list"),
        ("metrics:\n  cost: {label: a, direction: none}\n  cost: {label: b, direction: none}", "'cost' stands twice"),
    ],
)
def test_a_file_that_is_not_a_declaration_is_refused(conf, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"made_up/metrics\.yaml") as error:
        load_metrics("made_up", conf(metrics=content, paper="made_up"))
    assert message in str(error.value)


@pytest.mark.parametrize(("unit", "fits"), [("ms", True), ("", True), ("s", False), ("%", False)])
def test_a_published_number_in_another_unit_than_ours_is_refused(conf, unit: str, fits: bool) -> None:
    entry = {"method": "beam", "metric": "cost", "value": 12.0, "unit": unit, "source": "Table 1"}
    where = conf(metrics=DECLARATION, published=[entry], paper="made_up")
    declared = load_metrics("made_up", where)
    if fits:
        assert load_published("made_up", where, declared)[0].value == 12.0
        return
    with pytest.raises(ConfigError, match=r"published\.yaml: entry 1: field 'unit' is .* declared in 'ms'"):
        load_published("made_up", where, declared)


@pytest.fixture
def made_up(sweep, conf, monkeypatch) -> tuple[Path, Path, dict[str, str]]:
    """Three methods of the made-up paper, two seeds each; folder, configuration and the labels of what was drawn."""
    for method, cost in (("a_greedy", 30.0), ("beam", 12.0), ("random", 90.5)):
        for seed in (0, 1):
            values = {"cost": cost + seed, "gain_2_4": -cost, "valid": 0.5, "undeclared": 3.0}
            found = {"dlrm/0": values}
            sweep.run(method, seed, paper="made_up", experiment="table_1", dataset="dlrm", metrics=found)
    entry = {"method": "beam", "metric": "cost", "value": 11.0, "unit": "ms", "source": "Table 1"}
    claim = {"id": "cheaper", "statement": "beam search is cheaper", "source": "Table 1", "metric": "cost"}
    claim |= {"better": "lower", "ours": "beam", "against": "random", "experiment": "made_up/table_1"}
    drawn: dict[str, str] = {}
    bars = plots._bars

    def record(figure, rows, metric) -> None:
        bars(figure, rows, metric)
        drawn[metric.name] = figure.axes[0].get_xlabel()

    monkeypatch.setattr(plots, "_bars", record)
    where = conf([claim | {"test": {"kind": "t", "over": "seeds"}}], [entry], metrics=DECLARATION, paper="made_up")
    return sweep.folder, where, drawn


def test_a_new_unit_costs_the_frame_nothing(made_up) -> None:
    folder, where, drawn = made_up
    summary = build(folder, where)
    text, page = as_text(summary), summary.html.read_text()
    table = pd.read_csv(folder / "report.csv").set_index(["method", "metric"])
    assert table["unit"].dropna().to_dict() == {
        (method, name): unit
        for method in ("a_greedy", "beam", "random")
        for name, unit in (("cost", "ms"), ("gain_2_4", "dB"))
    }
    assert table.loc[("beam", "cost"), "published"] == 11.0
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    assert [cells[0].strip() for cells in rows if cells[0].strip()] == ["beam", "a_greedy", "random"]
    assert re.search(r"┃ method\s+┃\s+cost ┃ valid plans ┃ n ┃\n", text)
    assert "12.5 ms" in text
    assert "effect 78.5 ms" in text
    assert "and 2 more metrics in the report" in text
    for shown in ("12.5 ms", "-12 dB", "50 %", "11 ms", "gain at 2.4", "undeclared", "of the slowest device"):
        assert shown in page
    assert page.index(">beam<") < page.index(">a_greedy<")
    assert drawn == {
        "cost": "cost (ms)",
        "valid": "valid plans (%)",
        "gain_2_4": "gain at 2.4 (dB)",
        "undeclared": "undeclared",
    }
    assert [path.stem for path in summary.figures] == ["cost", "valid", "gain_2_4", "undeclared"]


def test_a_broken_declaration_is_named_and_costs_the_published_numbers_alone(made_up) -> None:
    folder, where, _ = made_up
    (where / "experiment" / "made_up" / "metrics.yaml").write_text("metrics: {cost: {label: cost}}")
    summary = build(folder, where)
    assert "metric 'cost': field 'direction' must be a text" in summary.problems[0]
    assert summary.table["published"].isna().all()
    assert len(summary.judgements) == 1


@pytest.mark.parametrize("paper", PAPERS)
def test_what_claims_and_published_numbers_of_a_paper_speak_of_is_declared(paper: str) -> None:
    declared = load_metrics(paper)
    named = {claim.metric for claim in load_claims(paper)}
    named |= {entry.metric for entry in load_published(paper, metrics=declared) if entry.metric}
    assert [name for name in sorted(named) if not declared.of(name).declared] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_every_pattern_of_a_headline_fits_an_experiment(paper: str) -> None:
    """A pattern that fits none would be a headline that nobody sees."""
    known = " ".join(f"{choice.name} {choice.path.read_text()}" for choice in choices(CONF, f"experiment/{paper}"))
    for pattern in yaml.safe_load((CONF / "experiment" / paper / "metrics.yaml").read_text())["headline"]:
        assert re.search(r"\b" + re.escape(pattern).replace(r"\*", r"\w*") + r"\b", known), pattern


def test_the_runs_name_no_metric_outside_of_where_they_compute_it() -> None:
    """Each paper to come would otherwise be an edit of the frame. Columns of traces and outcomes are no metrics."""
    computed = {"searches.py", "curves.py", "outcomes.py"}
    shared = yaml.safe_load((CONF / "experiment" / "metrics.yaml").read_text())["search"]["metrics"]
    names = "|".join(set(shared) - {*TRACE_COLUMNS, *COLUMNS, *FLAGS})
    for path in (CONF.parent / "runs").rglob("*.py"):
        if path.name not in computed:
            assert not re.findall(rf'"(?:{names})"', path.read_text()), path
