"""Resolvers of the configuration."""

from __future__ import annotations

import json

from omegaconf import OmegaConf

from runs.names import register_resolvers


def test_json_of_holds_resolved_nodes_and_nothing_else_of_the_configuration() -> None:
    register_resolvers()
    cfg = OmegaConf.create(
        {
            "key": "${json_of:data.size,solver,absent}",
            "data": {"size": 3, "path": "elsewhere"},
            "solver": {"steps": "${data.size}", "kinds": ["a", None]},
        }
    )
    expected = {"data.size": 3, "solver": {"steps": 3, "kinds": ["a", None]}, "absent": None}
    assert json.loads(cfg.key) == expected
    before = cfg.key
    cfg.data.path = "moved"
    assert cfg.key == before
    cfg.data.size = 4
    assert cfg.key != before
