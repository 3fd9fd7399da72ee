"""What is said of an override that Hydra cannot read."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from runs.launch.mistakes import composition_mistake


def said(override: str) -> str:
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides([override])
    return composition_mistake(None, [override], caught.value)


@pytest.mark.parametrize("value", ["a[1].mps", "in/a=1,b(2).mps", "a{b}.lp", "x y[0].mps"])
def test_a_path_that_hydra_takes_apart_is_given_back_quoted_for_shell_and_hydra(value: str) -> None:
    message = said(f"data.path={value}")
    assert f"if {value} is a name as it stands, write " in message
    written = message.split(", write ")[1].split(": ")[0]
    (override,) = shlex.split(written)
    assert OverridesParser.create().parse_override(override).value() == value


def test_a_value_with_quotes_of_its_own_gets_no_advice() -> None:
    assert "write" not in said("data.path='a[1]")
