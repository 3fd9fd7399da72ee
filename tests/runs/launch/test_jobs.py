"""Which jobs a sweep has, and what it leaves behind when it is stopped."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from runs.files import atomic_write, write_json
from runs.launch import sweep
from runs.launch.jobs import Ledger, begun, configuration, is_complete, meaning
from runs.launch.slurm import how_to_cancel
from runs.launch.sweep import one_data_set

DRAWN = OmegaConf.create({"data": {"path": None, "generator": {"rows": 3}}})
READ = OmegaConf.create({"data": {"path": "text/corpus"}})
BOTH = [["data=a", "seed=0"], ["data=b", "seed=0"]]


def on_files(jobs: list[list[str]]) -> list[list[str]]:
    return [[*job, "data.path=mine.mps"] for job in jobs]


def test_files_that_replace_generated_instances_are_solved_once_not_once_per_data_set() -> None:
    assert one_data_set(DRAWN, on_files(BOTH)) == ["data=a"]


def test_a_complete_sweep_is_known_by_its_record(tmp_path: Path) -> None:
    for file in ("summary.txt", "report.html"):
        (tmp_path / file).touch()
    about, ledger = {"configuration": "digest"}, Ledger(tmp_path, "meaning")
    for found in (True, False):
        write_json(tmp_path / "sweep.json", about | {"complete": found})
        assert is_complete(ledger, about, []) is found
    write_json(tmp_path / "sweep.json", {"configuration": "another", "complete": True})
    assert not is_complete(ledger, about, [])


def finished(ledger: Ledger, job: list[str], run: str, **record: object) -> None:
    ledger.note(job, ledger.folder / run)
    atomic_write(ledger.folder / run / "config.yaml", b"seed: 1")
    write_json(ledger.folder / run / "metrics.json", {"metrics": {}, **record})


def test_a_job_is_known_in_any_order_and_whatever_is_shown_of_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "meaning")
    finished(ledger, ["solver=a", "data.path=${seed}", "seed=1"], "run")
    more = ["logger=wandb", "debug=true", "report.at_seconds=[1]", "hydra/launcher=ray", "+paths.cache=x", "methods={}"]
    assert ledger.run_of(["seed=1", *more, "solver=a", "data.path=${seed}"]) == tmp_path / "run"
    assert ledger.run_of(["seed=2", "solver=a", "data.path=${seed}"]) is None
    assert Ledger(tmp_path, "another").run_of(["solver=a", "data.path=${seed}", "seed=1"]) is None


def test_only_a_job_whose_run_lacks_nothing_is_done(tmp_path: Path) -> None:
    ledger, job = Ledger(tmp_path, "meaning"), ["seed=1"]
    assert ledger.to_launch([job]) == [job]
    ledger.note(job, tmp_path / "run")
    assert ledger.run_of(job) is None, "it died before it left a record"
    finished(ledger, job, "run", instance_errors={"a": "could not be read"})
    assert ledger.run_of(job) and ledger.to_launch([job])
    finished(ledger, job, "run")
    assert ledger.to_launch([job]) == []
    ledger.forget(job)
    assert ledger.run_of(job) is None


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


def application(place: str) -> SimpleNamespace:
    places = [SimpleNamespace(path=path) for path in ("pkg://hydra.conf", place, "structured://")]
    loader = SimpleNamespace(get_search_path=lambda: SimpleNamespace(get_path=lambda: places))
    return SimpleNamespace(config_loader=loader)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_changed_configuration_file_is_another_configuration(tmp_path: Path, form: str) -> None:
    app = application(form.format(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.yaml").write_text("width: 3")
    before, meant = configuration(app, BOTH), meaning(app, BOTH)
    again = [[*reversed(job), "logger=wandb"] for job in reversed(BOTH)]
    assert configuration(app, again) == before != configuration(app, BOTH[:1])
    assert configuration(app, BOTH, {"at_seconds": [1]}) != before
    (tmp_path / "model" / "claims.yaml").write_text("[]")
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths" / "elsewhere.yaml").write_text("outputs: ${oc.env:HOME}")
    assert meaning(app, BOTH) == meant and configuration(app, BOTH) != before
    (tmp_path / "model" / "a.yaml").write_text("width: 4")
    assert meaning(app, BOTH) != meant


def test_the_jobs_that_stay_in_the_queue_are_named_without_those_of_earlier_launches(tmp_path: Path) -> None:
    for name, age in (("99_0", 50.0), ("120_0", 0.0), ("120_1", 0.0), ("121", 0.0), ("log", 0.0)):
        path = tmp_path / ".submitit" / name
        path.mkdir(parents=True)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert how_to_cancel(tmp_path, 1e9 - 10, "p-e").endswith("scancel 120 121")
    assert how_to_cancel(tmp_path / "absent", 0.0, "p-e").endswith("scancel --me --name=p-e")


@pytest.mark.parametrize("content", [b"[1]", b"3", b"{", b"", b"\xff\x00", b'{"complete": 1, "configuration": []}'])
def test_a_damaged_record_of_a_sweep_is_that_of_one_to_be_launched(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_bytes(content)
    assert not is_complete(Ledger(tmp_path, "meaning"), {"configuration": "digest"}, [])


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\x00", b"../elsewhere/run", b"/"])
def test_a_damaged_note_of_a_job_is_none_and_leads_nowhere_else(content: bytes, tmp_path: Path) -> None:
    finished(Ledger(tmp_path / "elsewhere", "meaning"), ["seed=0"], "run")
    ledger = Ledger(tmp_path / "sweep", "meaning")
    finished(ledger, ["seed=0"], "mine")
    (entry,) = (tmp_path / "sweep" / ".jobs").iterdir()
    entry.write_bytes(content)
    assert ledger.run_of(["seed=0"]) is None
    assert ledger.to_launch([["seed=0"]]) == [["seed=0"]]


def test_runs_whose_settings_were_edited_away_are_kept_beside_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, jobs = Ledger(tmp_path, "meaning"), [["seed=0"], ["seed=1"]]
    for name in ("edited-0", "edited-1", "former-0"):
        write_json(tmp_path / name / "environment.json", {})
        write_json(tmp_path / name / "metrics.json", {"metrics": {}})
    ledger.note(jobs[0], tmp_path / "edited-0")
    sweep._set_strangers_aside(tmp_path, ledger, jobs)
    assert (tmp_path / "former-0" / "metrics.json").exists()  # which runs are strangers is not known yet
    ledger.note(jobs[1], tmp_path / "edited-1")
    sweep._set_strangers_aside(tmp_path, ledger, jobs)
    assert [run.name for run in begun(tmp_path)] == ["edited-0", "edited-1"]
    assert (tmp_path / "superseded" / "former-0-1" / "metrics.json").exists()
    assert "1 runs are of no job of this sweep any more (former-0)" in capsys.readouterr().err
