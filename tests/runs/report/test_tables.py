"""The summary of a sweep and the published numbers beside it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from runs.claims.metrics import PaperMetrics, load_metrics
from runs.claims.published import load_published
from runs.errors import ConfigError
from runs.record.run_folder import RESULT_COLUMNS
from runs.report.tables import REPORT_COLUMNS, beside_published, summarise


def frame(*rows: tuple[str, str, str, int, str, float]) -> pd.DataFrame:
    """Rows of experiment, method, instance, seed, metric, value."""
    return pd.DataFrame([("lb_relax", *row) for row in rows], columns=RESULT_COLUMNS)


def entry(**changes: Any) -> dict[str, Any]:
    return {"method": "random", "metric": "primal_gap", "value": 5.9, "unit": "%", "source": "Table 2"} | changes


def published(conf, *entries: dict[str, Any]):
    return load_published("lb_relax", conf(published=list(entries)))


SEARCH = PaperMetrics(lb_relax=load_metrics("lb_relax"))


def test_the_summary_has_the_contract_s_columns_and_leaves_out_the_optimum() -> None:
    table = summarise(frame(("t", "a", "ca/1", 0, "cost", 1.0), ("t", "a", "ca/1", 0, "optimum", 1.0)))
    assert list(table.columns) == REPORT_COLUMNS
    assert table["metric"].tolist() == ["cost"]
    assert summarise(frame()).columns.tolist() == REPORT_COLUMNS


def test_several_data_sets_get_a_row_each_beside_the_overall_mean() -> None:
    rows = [
        ("t", "a", f"{name}/1", seed, "cost", value) for name, value in (("ca", 1.0), ("sc", 3.0)) for seed in (0, 1)
    ]
    table = summarise(frame(*rows)).set_index("metric")
    assert table["mean"].to_dict() == {"cost": 2.0, "cost/ca": 1.0, "cost/sc": 3.0}
    assert table["n"].to_dict() == {"cost": 4, "cost/ca": 2, "cost/sc": 2}


def test_one_seed_leaves_the_interval_empty_in_the_csv() -> None:
    text = summarise(frame(("t", "a", "ca/1", 0, "cost", 1.5))).to_csv(index=False)
    assert text.splitlines()[1] == "lb_relax,t,a,cost,1.5,,,1,,,"


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"dataset": "ca"}, True),
        ({"dataset": "ca_small"}, True),
        ({"dataset": "sc"}, False),
        ({"experiment": "table"}, True),
        ({"experiment": "lb_relax/table_small"}, True),
        ({"experiment": "figure"}, False),
        ({"method": "graph"}, False),
        ({"metric": "primal_integral"}, False),
    ],
)
def test_a_published_number_stands_beside_what_measures_the_same(conf, changes: dict[str, Any], fits: bool) -> None:
    results = frame(("table_small", "random", "ca_small/1", 0, "primal_gap", 0.04))
    numbers = published(conf, entry(**changes))
    table = summarise(results, numbers, SEARCH)
    ((_, row),) = beside_published(results, table, numbers)
    assert (row is not None) == fits
    assert table["published"].tolist() == ([pytest.approx(0.059)] if fits else [None])


def test_with_several_data_sets_a_published_number_belongs_to_its_own(conf) -> None:
    results = frame(*[("t", "random", f"{name}/1", 0, "primal_gap", 0.1) for name in ("ca", "sc")])
    numbers = published(conf, entry(dataset="sc"))
    table = summarise(results, numbers).set_index("metric")
    assert table["published"].notna().to_dict() == {"primal_gap": False, "primal_gap/ca": False, "primal_gap/sc": True}
    ((_, row),) = beside_published(results, table.reset_index(), numbers)
    assert row is not None
    assert row["metric"] == "primal_gap/sc"


def test_published_fields_are_read_and_recalled_numbers_marked(conf) -> None:
    one, two, three = published(
        conf, entry(recalled=True, protocol="60 min"), entry(value=None), entry(source="recalled, unchecked")
    )
    assert (one.recalled, one.protocol, two.value, two.recalled, three.recalled) == (True, "60 min", None, False, True)


def test_the_protocol_of_a_data_set_may_stand_alone_and_is_no_number_of_ours(conf) -> None:
    alone = {"dataset": "mvc", "source": "tables, unread", "protocol": "60 min"}
    (known,) = published(conf, alone)
    assert (known.method, known.metric, known.value, known.protocol) == ("", "", None, "60 min")
    assert not known.fits("table", "", "primal_gap", "mvc")
    with pytest.raises(ConfigError, match="field 'protocol' must be a text"):
        published(conf, alone | {"protocol": None})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry(value="5.9"), "entry 2: field 'value' must be a number or null, found '5.9'"),
        (entry(valu=1), "entry 2: unknown field 'valu'"),
        (entry(source=None), "entry 2: field 'source' must be a text"),
        (entry(std="0.1", n=5), "entry 2: field 'std' must be a number or null, found '0.1'"),
        (entry(std=-0.1, n=5), "entry 2: field 'std' must not be negative"),
        (entry(std=0.1), "entry 2: field 'std' needs field 'n'"),
        (entry(std=0.1, n=1), "entry 2: field 'std' needs field 'n', the 2 or more repetitions"),
        (entry(std=0.1, n=5, value=None), "entry 2: field 'std' needs field 'value'"),
        (entry(n=2.5), "entry 2: field 'n' must be a number of repetitions, 1 or more, found 2.5"),
        (entry(value=float("inf")), "entry 2: field 'value' must be a number or null, found inf"),
        ("text", "entry 2: expected a mapping"),
    ],
)
def test_a_bad_published_entry_is_refused_by_file_entry_and_field(conf, bad: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=r"published\.yaml") as error:
        load_published("lb_relax", conf(published=[entry(), bad]))
    assert message in str(error.value)
