"""Reading ``claims.yaml``."""

from __future__ import annotations

from typing import Any

import pytest

from runs.claims.claim import load_claims
from runs.errors import ConfigError

EXPERIMENT = "lb_relax/table_small"
WELCH = {"against": "published"}


def entry(**changes: Any) -> dict[str, Any]:
    base = {"id": "c1", "statement": "ours wins", "source": "Table 1", "metric": "cost", "better": "lower"}
    base |= {"ours": "ours", "against": "theirs", "experiment": EXPERIMENT}
    return base | {"test": {"kind": "wilcoxon", "over": "instances"}} | changes


def test_a_claims_file_is_read_with_its_defaults(conf) -> None:
    path = conf(
        claims=[entry(), entry(id="c2", against=["a", "b"], test={"at": {"evaluations": 10}, "relative": True})]
    )
    first, second = load_claims("lb_relax", path)
    assert (first.against, first.kind, first.over, first.level) == (("theirs",), "wilcoxon", "instances", 0.05)
    assert (second.against, second.at, second.relative) == (("a", "b"), ("evaluations", 10.0), True)
    assert load_claims("other", path) == []


def test_agreement_with_the_published_numbers_may_call_ours_anything(conf) -> None:
    (found,) = load_claims("lb_relax", conf(claims=[entry(ours="our 32 cells", **WELCH, test={"kind": "welch"})]))
    assert found.asserts_agreement
    assert (found.ours, found.against, found.over) == ("our 32 cells", ("published",), "seeds")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"better": "smaller"}, "field 'better' must be lower or higher, found 'smaller'"),
        ({"ours": ""}, "field 'ours' must be a text"),
        ({"metric": 3}, "field 'metric' must be a text, found 3"),
        ({"against": []}, "field 'against'"),
        ({"against": [1]}, "field 'against'"),
        ({"experiment": "table_small"}, "field 'experiment' must read lb_relax/<name>"),
        ({"test": {"kind": "anova"}}, "field 'test.kind'"),
        ({"test": {"over": "runs"}}, "field 'test.over'"),
        ({"test": {"level": 5}}, "field 'test.level'"),
        ({"test": {"minimal_effect": "big"}}, "field 'test.minimal_effect' must be a number, found 'big'"),
        ({"test": {"relative": 1}}, "field 'test.relative'"),
        ({"test": {"ratio": 1}}, "field 'test.ratio'"),
        ({"test": {"ratio": True, "relative": True}}, "fields 'test.relative' and 'test.ratio' are two scales"),
        ({"test": {"kind": "sign", "minimal_effect": 0.1}}, "field 'test.minimal_effect' does not go with kind sign"),
        ({"test": {"at": 30}}, "field 'test.at'"),
        ({"test": {"at": {"seconds": "x"}}}, "field 'test.at.seconds'"),
        ({"test": {"lvl": 0.1}}, "unknown field 'test.lvl'; did you mean 'level'"),
        ({"test": "wilcoxon"}, "field 'test' must be a mapping"),
        ({"against": "published"}, "'against: published' and 'test.kind: welch' need each other"),
        ({"test": {"kind": "welch"}}, "'against: published' and 'test.kind: welch' need each other"),
        (WELCH | {"test": {"kind": "welch", "over": "instances"}}, "field 'test.over' must be seeds for kind welch"),
        (WELCH | {"test": {"kind": "welch", "minimal_effect": 1}}, "field 'test.minimal_effect' does not apply"),
        (WELCH | {"test": {"kind": "welch", "relative": True}}, "field 'test.relative' does not apply to kind welch"),
        (WELCH | {"test": {"kind": "welch", "at": {"seconds": 1}}}, "field 'test.at' does not apply to kind welch"),
        ({"controls": {"another": "x"}}, "field 'controls' must map methods of 'ours' or 'against'"),
        ({"controls": "x"}, "field 'controls' must map methods of 'ours' or 'against'"),
        (
            WELCH | {"test": {"kind": "welch"}, "controls": {"ours": "x"}},
            "field 'controls' must map methods of 'ours' or 'against'",
        ),
        ({"controls": {"ours": "x"}, "test": {"relative": True}}, "field 'test.relative' does not go with 'controls'"),
        ({"metrik": "x"}, "unknown field 'metrik'; did you mean 'metric'"),
    ],
)
def test_a_bad_entry_is_refused_with_file_entry_and_field(conf, changes: dict[str, Any], field: str) -> None:
    path = conf(claims=[entry(id="good"), entry(id="bad", **changes)])
    with pytest.raises(ConfigError) as error:
        load_claims("lb_relax", path)
    assert "claims.yaml: entry 'bad'" in str(error.value)
    assert field in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not valid YAML"),
        ("just: a mapping", "expected a list of entries"),
        ("- only text", "entry 1: expected a mapping"),
        ("- {statement: s}", "entry 1: field 'id' must be a text"),
    ],
)
def test_a_broken_claims_file_is_refused(conf, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match="claims") as error:
        load_claims("lb_relax", conf(claims=content))
    assert message in str(error.value)


def test_two_claims_with_one_id_are_refused(conf) -> None:
    with pytest.raises(ConfigError, match="ids must be unique"):
        load_claims("lb_relax", conf(claims=[entry(), entry()]))
