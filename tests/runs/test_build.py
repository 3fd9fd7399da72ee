"""Building from the configuration: chosen groups become arguments, and a mistake names the setting."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from runs.build import build
from runs.errors import ConfigError


class Trains:
    def __init__(self, model: dict[str, int], rate: float = 0.1) -> None:
        self.model, self.rate = model, rate


class Reads:
    def __init__(self, path: str) -> None:
        self.path = path


def built(task: type, settings: dict[str, Any], **groups: Any) -> Any:
    nodes = {"task": {"_target_": f"{__name__}.{task.__name__}", **settings}, "model": None, "solver": None}
    return build(OmegaConf.create(nodes | groups), "task", chosen=("model", "solver"))


def test_a_group_that_is_chosen_is_an_argument_and_one_that_is_not_is_none() -> None:
    assert built(Trains, {}, model={"_target_": "builtins.dict", "width": 4}).model == {"width": 4}
    assert built(Reads, {"path": "here"}).path == "here"


def test_a_group_that_is_not_chosen_is_not_built() -> None:
    assert build(OmegaConf.create({"task": None}), "task") is None


@pytest.mark.parametrize(
    ("task", "settings", "groups", "message"),
    [
        (
            Reads,
            {"path": "here"},
            {"solver": {"_target_": "builtins.dict"}},
            "task: Reads takes no solver; leave it out: 'solver=null'",
        ),
        (Trains, {}, {}, "task: Trains needs a model and none is chosen; choose one: 'model=...'"),
        (Reads, {}, {}, r"task\.path: Reads needs 'path'; set it: '\+task\.path=\.\.\.'"),
        (Reads, {"path": "here", "rate": 1}, {}, r"task\.rate: Reads has no setting 'rate'.*'~task\.rate'"),
    ],
)
def test_what_is_missing_or_too_much_is_named_with_the_remedy(
    task: type, settings: dict[str, Any], groups: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        built(task, settings, **groups)


def test_what_does_not_say_which_class_it_is_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match="solver does not say what it is: it has steps and no _target_"):
        build(OmegaConf.create({"solver": {"steps": 3}}), "solver")
