"""Resolvers of the configuration."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runs.names import register_resolvers, safe_name


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


def test_json_of_relative_paths_is_the_same_wherever_a_part_of_the_configuration_stands() -> None:
    register_resolvers()
    part = {"seed": 3, "task": {"rate": 0.1, "key": "${json_of:..seed,..model,.rate}"}, "model": {"width": 8}}
    cfg = OmegaConf.create({**part, "inner": {"one": {**part, "model": {"width": 4}}, "other": part}})
    assert json.loads(cfg.task.key) == {"seed": 3, "model": {"width": 8}, "rate": 0.1}
    assert cfg.inner.other.task.key == cfg.task.key
    assert json.loads(cfg.inner.one.task.key) == {"seed": 3, "model": {"width": 4}, "rate": 0.1}


def test_json_of_does_not_depend_on_where_the_artifact_cache_is() -> None:
    register_resolvers()
    device = {"repeats": 3, "cache": "${paths.cache}"}
    keys = {
        OmegaConf.create({"paths": {"cache": place}, "device": device, "key": "${json_of:device}"}).key
        for place in ("/here", "/there", None)
    }
    assert keys == {'{"device": {"repeats": 3}}'}


def test_a_measured_list_is_resolved_like_any_other() -> None:
    register_resolvers()
    cfg = OmegaConf.create({"names": "${measured:data.sharding.features.names_of,load}"})
    OmegaConf.resolve(cfg)
    assert cfg.names == ["pieces", "dim", "pooling_factor", "dim_pooling"]


def test_the_newest_sweep_is_the_one_begun_last_of_this_experiment(tmp_path: Path) -> None:
    register_resolvers()
    cfg = OmegaConf.create({"outputs": str(tmp_path), "sweep": '${newest_sweep:"${outputs}/a paper/figure"}'})
    assert cfg.sweep is None
    for name, age in (("figure-1", 5), ("figure-2", 9), ("figure_small-3", 1), ("figure-4", 2)):
        (tmp_path / "a paper" / name).mkdir(parents=True)
        if name != "figure-4":  # a run of its own
            (tmp_path / "a paper" / name / "sweep.json").touch()
            os.utime(tmp_path / "a paper" / name / "sweep.json", (1e9 - age, 1e9 - age))
    assert cfg.sweep == str(tmp_path / "a paper" / "figure-1")


@pytest.mark.parametrize(
    "texts",
    [
        ("plant a", "plant_a", "plant(a"),
        ("x" * 200 + "1", "x" * 200 + "2"),
        ("a/b", "a_b", "_a_b", "a b"),
        ("caf\udce9", "caf\udcea", "caf_"),
        ("植" * 78 + "1", "植" * 78 + "2"),
        (".x", "x", "..x"),
    ],
)
def test_other_texts_make_other_file_names_that_any_file_system_takes(texts: tuple[str, ...], tmp_path: Path) -> None:
    names = [safe_name(text) for text in texts]
    assert len(set(names)) == len(texts)
    for name in names:
        assert len(name.encode()) <= 150
        (tmp_path / name).touch()


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=20))
def test_a_file_name_is_its_own(text: str) -> None:
    name = safe_name(text)
    assert safe_name(name) == name
    assert (name == text) == bool(re.fullmatch(r"[\w+-][\w.+-]*", text))


def test_json_of_changes_with_the_content_of_a_file_that_a_node_names(tmp_path: Path) -> None:
    register_resolvers()
    (tmp_path / "numbers").write_text("1 2 3")
    cfg = OmegaConf.create({"data": {"path": str(tmp_path / "numbers")}, "key": "${json_of:data.path,model}"})
    before = json.loads(cfg.key)
    assert before.keys() == {"data.path", "model", "inputs"}
    (tmp_path / "numbers").write_text("1 2 4")
    assert json.loads(cfg.key)["inputs"] != before["inputs"]
