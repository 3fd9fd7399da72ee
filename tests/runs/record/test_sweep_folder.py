"""Loading a sweep's folder, whole or damaged."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from filelock import FileLock

from runs.errors import ConfigError
from runs.record.run_folder import RESULT_COLUMNS
from runs.record.sweep_folder import load
from runs.record.variants import differing_settings, flatten

WHOLE = {"all": {"accuracy": 0.9}}


def test_a_sweep_yields_one_run_per_folder_and_its_results_in_the_report_s_columns(sweep) -> None:
    sweep.run("a", 0, metrics={"x/1": {"cost": 1.0}, "x/2": {"cost": 2.0}})
    sweep.run("b", 3, metrics={"x/1": {"cost": 3.0}})
    (sweep.folder / "figures").mkdir()
    found = load(sweep.folder)
    assert [(run.method, run.seed, str(run.status)) for run in found.runs] == [
        ("a", 0, "finished"),
        ("b", 3, "finished"),
    ]
    assert list(found.results.columns) == RESULT_COLUMNS
    assert found.results["value"].tolist() == [1.0, 2.0, 3.0]


def test_a_run_folder_on_its_own_is_a_sweep_of_one(sweep) -> None:
    folder = sweep.run("a", 0, metrics=WHOLE)
    found = load(folder)
    assert found.is_single_run
    assert found.results["value"].tolist() == [0.9]


def test_instances_get_the_name_of_their_data_set_so_that_two_sets_cannot_meet(sweep) -> None:
    sweep.run("a", 0, dataset="cifar10", metrics=WHOLE)
    sweep.run("a", 0, dataset="shapes", metrics=WHOLE)
    assert sorted(load(sweep.folder).results["instance"]) == ["cifar10/all", "shapes/all"]


def test_metrics_of_a_run_without_a_table_come_from_its_record(sweep) -> None:
    folder = sweep.run("a", 0)
    (folder / "results.parquet").unlink()
    (folder / "metrics.json").write_text(json.dumps({"metrics": {"test/loss": 0.5, "broken": None}}))
    results = load(sweep.folder).results
    assert dict(zip(results["metric"], results["value"], strict=True))["test/loss"] == 0.5


def test_runs_without_a_result_are_kept_with_their_cause(sweep) -> None:
    sweep.run("ok", 0, metrics=WHOLE)
    sweep.run("failing", 0, status="failed")
    sweep.run("killed", 0, status="killed")
    running = sweep.run("running", 0, status="running")
    with FileLock(running / "owner.lock"):
        found = {run.method: run for run in load(sweep.folder).runs}
    assert {name: run.state for name, run in found.items()} == {
        "ok": "finished",
        "failing": "failed",
        "killed": "killed",
        "running": "running",
    }
    assert found["failing"].cause == "ValueError: broken <b>"
    assert [name for name, run in found.items() if run.usable] == ["ok"]


@pytest.mark.parametrize(
    ("file", "content", "cause"),
    [
        ("results.parquet", b"PAR1 nonsense", "results.parquet is not a readable table"),
        ("traces.parquet", b"", "traces.parquet is not a readable table"),
        ("config.yaml", b"a: [1, 2", "config.yaml"),
        ("config.yaml", b"\xff\xfe\x00", "cannot be read"),
        ("config.yaml", b"- a list", "expected a mapping"),
        ("config.yaml", b"paper: p\nseed: many", "many"),
    ],
)
def test_a_damaged_run_is_named_and_costs_only_itself(sweep, file: str, content: bytes, cause: str) -> None:
    sweep.run("good", 0, metrics=WHOLE)
    folder = sweep.run("bad", 0, metrics=WHOLE)
    (folder / file).write_bytes(content)
    found = load(sweep.folder)
    (bad,) = [run for run in found.runs if not run.usable]
    assert bad.folder == folder
    assert bad.state == "corrupt"
    assert cause in bad.cause
    assert set(found.results["method"]) == {"good"}


def test_a_table_without_a_needed_column_is_named(sweep) -> None:
    folder = sweep.run("bad", 0, metrics=WHOLE)
    pd.DataFrame({"instance": ["a"], "metric": ["m"]}).to_parquet(folder / "results.parquet")
    assert "lacks the column value" in load(sweep.folder).runs[0].cause


def test_runs_that_differ_in_a_setting_get_it_in_their_name(sweep) -> None:
    for gamma in (1.0, 1.05):
        for seed in (0, 1):
            settings = {"solver": {"gamma": gamma, "k": 9}, "trainer": {"unrelated": seed}}
            sweep.run("lns", seed, name=f"{gamma}-{seed}", metrics=WHOLE, config=settings)
    sweep.run("plain", 0, metrics=WHOLE)
    found = load(sweep.folder)
    assert {run.method for run in found.runs} == {"lns [gamma=1.0]", "lns [gamma=1.05]", "plain"}
    assert set(found.results["method"]) == {"lns [gamma=1.0]", "lns [gamma=1.05]", "plain"}
    assert [run.variant for run in found.runs if run.method == "plain"] == [{}]


def test_a_setting_that_depends_on_the_data_set_does_not_split_a_method(sweep) -> None:
    for dataset, k in (("ca", 100), ("sc", 60)):
        sweep.run("lns", 0, dataset=dataset, metrics=WHOLE, config={"solver": {"k": k}})
    assert {run.method for run in load(sweep.folder).runs} == {"lns"}


def test_a_copied_folder_does_not_merge_with_its_original(sweep) -> None:
    sweep.run("a", 0, name="one", metrics=WHOLE)
    sweep.run("a", 0, name="two", metrics=WHOLE)
    assert [run.method for run in load(sweep.folder).runs] == ["a", "a #2"]


def test_only_settings_that_differ_are_listed_and_paths_never(sweep) -> None:
    sweep.run("a", 0, metrics=WHOLE, config={"paths": {"outputs": "/x"}, "model": {"width": 4}})
    sweep.run("a", 1, metrics=WHOLE, config={"paths": {"outputs": "/y"}, "model": {"width": 4, "depth": 2}})
    assert differing_settings(load(sweep.folder).runs) == {"model.depth": [None, 2], "seed": [0, 1]}
    assert flatten({"a": {"b": {"c": 1}}, "d": [1], "e": {}}) == {"a.b.c": 1, "d": [1], "e": {}}


def test_the_command_quotes_what_a_shell_would_take_apart(sweep) -> None:
    folder = sweep.run("a", 0, metrics=WHOLE)
    about = {"overrides": ["experiment=x/y", "data.names=[a, b]"]}
    (folder / "environment.json").write_text(json.dumps(about))
    assert load(folder).runs[0].command == "python launch.py experiment=x/y 'data.names=[a, b]'"


def test_a_folder_without_records_is_refused_with_the_remedy(tmp_path) -> None:
    with pytest.raises(ConfigError, match="give the folder of a sweep or of a run"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="there is no such folder"):
        load(tmp_path / "absent")
