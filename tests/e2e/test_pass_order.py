"""Every experiment on pass orders composes; every one of laptop size runs."""

from __future__ import annotations

import pytest

from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher
from tests.e2e.laptop import composes, runs

ALL = {choice.name: choice for choice in choices(CONF, "experiment/pass_order")}
DRAWN = [
    "data=programs/drawn",
    "data.count=2",
    "pass_order/source@coreset.source=drawn",
    "coreset.source.count=3",
    "coreset.search.passes=20",
]
BRIEF = {
    "table_main_small": ["pass_order/method=oz,top,local_search", *DRAWN],
}
"""What makes an experiment of laptop size brief."""
NEEDS: dict[str, list[str]] = {}
"""What an experiment cannot be composed without."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(name: str) -> None:
    assert is_told(ALL[name])
    composes("pass_order", name, NEEDS.get(name, []))


@pytest.mark.parametrize("name", sorted({name for name in ALL if name.endswith("_small")} | BRIEF.keys()))
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    runs(launch, "pass_order", name, BRIEF[name], "improvement")
