"""Which jobs a sweep has, and what it leaves behind when it is stopped."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from runs.files import write_json
from runs.launch.jobs import configuration, is_complete
from runs.launch.slurm import how_to_cancel
from runs.launch.sweep import one_data_set

DRAWN = OmegaConf.create({"data": {"path": None, "generator": {"rows": 3}}})
READ = OmegaConf.create({"data": {"path": "text/corpus"}})
BOTH = [["data=a", "seed=0"], ["data=b", "seed=0"]]


def on_files(jobs: list[list[str]]) -> list[list[str]]:
    return [[*job, "data.path=mine.mps"] for job in jobs]


def test_files_that_replace_generated_instances_are_solved_once_not_once_per_data_set() -> None:
    assert one_data_set(DRAWN, on_files(BOTH)) == ["data=a"]


@pytest.mark.parametrize("name", ["complete", "settled"])  # "settled" was its name once
def test_a_complete_sweep_is_known_by_its_record(name: str, tmp_path: Path) -> None:
    for file in ("summary.txt", "report.html"):
        (tmp_path / file).touch()
    about = {"configuration": "digest"}
    for found in (True, False):
        write_json(tmp_path / "sweep.json", about | {name: found})
        assert is_complete(tmp_path, about, []) is found
    write_json(tmp_path / "sweep.json", {"configuration": "another", name: True})
    assert not is_complete(tmp_path, about, [])


@pytest.mark.parametrize(
    ("cfg", "jobs"),
    [
        (DRAWN, BOTH),
        (DRAWN, on_files(BOTH[:1])),
        (DRAWN, [[*job, "data.path=null"] for job in BOTH]),
        (READ, on_files(BOTH)),
        (DRAWN, []),
    ],
)
def test_a_sweep_keeps_its_data_sets_otherwise(cfg, jobs: list[list[str]]) -> None:
    assert one_data_set(cfg, jobs) == []


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_changed_configuration_file_is_another_configuration(tmp_path: Path, form: str) -> None:
    places = [SimpleNamespace(path=path) for path in ("pkg://hydra.conf", form.format(tmp_path), "structured://")]
    loader = SimpleNamespace(get_search_path=lambda: SimpleNamespace(get_path=lambda: places))
    application = SimpleNamespace(config_loader=loader)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.yaml").write_text("width: 3")
    before = configuration(application, BOTH)
    assert configuration(application, BOTH) == before != configuration(application, BOTH[:1])
    (tmp_path / "model" / "a.yaml").write_text("width: 4")
    assert configuration(application, BOTH) != before


def test_the_jobs_that_stay_in_the_queue_are_named_without_those_of_earlier_launches(tmp_path: Path) -> None:
    for name, age in (("99_0", 50.0), ("120_0", 0.0), ("120_1", 0.0), ("121", 0.0), ("log", 0.0)):
        path = tmp_path / ".submitit" / name
        path.mkdir(parents=True)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert how_to_cancel(tmp_path, 1e9 - 10, "p-e").endswith("scancel 120 121")
    assert how_to_cancel(tmp_path / "absent", 0.0, "p-e").endswith("scancel --me --name=p-e")
