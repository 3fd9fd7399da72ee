"""The quality of neighbourhoods: local branching's steps are shared by the methods that are measured against them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.composition import composed


def settings(*overrides: str) -> Any:
    cfg = composed("experiment=lb_relax/figure_neighborhood_small", *overrides)
    return json.loads(OmegaConf.select(cfg, "task.settings"))


@pytest.mark.parametrize(
    "changed",
    [
        "lns.size.share=0.3",
        "task.reference.repair_seconds=7",
        "task.reference.destroy.seconds=7",
        "solver/milp@lns.repair=scip",
        "lns/accept=strict",
    ],
)
def test_steps_of_another_local_branching_are_not_taken_for_this_ones(changed: str) -> None:
    assert settings(changed) != settings()


def test_all_methods_share_its_steps() -> None:
    assert settings("solver=lns/random") == settings("solver=lns/lb_relax")
