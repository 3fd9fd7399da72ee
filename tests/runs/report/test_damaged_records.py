"""A record that somebody damaged is named with its remedy: no traceback, no wrong number, no loss of the others."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from runs.anytime import Trace
from runs.compare import compare, write
from runs.errors import RepriseError
from runs.record.run_record import RunStatus, finished_whole, status
from runs.record.seal import sealed
from runs.record.sweep_folder import load
from runs.report import build as report
from runs.report.build import build
from runs.report.console import Terminal
from runs.report.ledger import build_ledger
from runs.report.terminal import print_to_terminal

CLAIM = {
    "id": "better", "statement": "s", "source": "t", "metric": "primal_gap", "better": "lower", "ours": "good",
    "against": "poor", "experiment": "lb_relax/table_small", "test": {"kind": "t", "over": "instances"},
}  # fmt: skip
OTHER = [None, True, 0, -1, 1.5, 1e400, "x", "", [], [1], ["a"], {}, {"a": 1}, [[]], {"_target_": "os.system"}]
"""What a value is replaced with."""


def seal(folder: Path) -> None:
    record = {"metrics": {"primal_bound": 1.0}, "score": None, "wall_seconds": 1.5, "peak_memory_gib": 0.5}
    path = folder / "metrics.json"
    path.write_text(json.dumps(sealed(folder, record | {"instance_errors": {}})))


def trace(end: float) -> Trace:
    found = Trace()
    for seconds, value in ((0.1, 9.0), (0.5, end)):
        found.record(seconds, int(10 * seconds), value, 1.0)
    return found


@pytest.fixture(scope="session")
def whole(tmp_path_factory, sweep_writer) -> Path:
    """Outputs with a sweep of two methods whose records are sealed, a failed run and a warning."""
    outputs = tmp_path_factory.mktemp("outputs")
    sweep = sweep_writer(outputs / "lb_relax" / "table_small-0123456789")
    for method, end in (("good", 2.0), ("poor", 3.0)):
        traces = {f"ca_small/{i}": trace(end + i) for i in range(3)}
        metrics = {name: {"primal_bound": t.objective[-1], "feasible": 1.0} for name, t in traces.items()}
        seal(sweep.run(method, 0, metrics=metrics, traces=traces, budget={"seconds": 1.0, "evaluations": None}))
    sweep.run("failing", 0, status="failed")
    (sweep.folder / "good-seed0-ca_small" / "warning.txt").write_text("slow disk")
    about = {"command": ["python", "launch.py", "-m", "solver=good,poor"], "jobs": 3, "complete": False}
    (sweep.folder / "sweep.json").write_text(json.dumps(about))
    (sweep.folder / "not_begun.json").write_text(json.dumps({"jobs": [["solver=third"]]}))
    conf = outputs / "conf" / "experiment" / "lb_relax"
    conf.mkdir(parents=True)
    (conf / "metrics.yaml").write_text("extends: search")
    (conf / "claims.yaml").write_text(yaml.safe_dump([CLAIM]))
    return outputs


def replaced(value: Any, rng: np.random.Generator) -> Any:
    """Plain data with one value in it, at whatever depth, replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = list(value)[rng.integers(len(value))]
        return {**value, key: replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        i = int(rng.integers(len(value)))
        return [*value[:i], replaced(value[i], rng), *value[i + 1 :]]
    return OTHER[rng.integers(len(OTHER))]


def damaged(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    kinds: list[Callable[[], Any]] = [
        path.unlink,
        lambda: path.write_bytes(content[: rng.integers(len(content))]),
        lambda: path.write_bytes(bytes(rng.integers(0, 256, int(rng.integers(200)), dtype=np.uint8))),
        lambda: (path.unlink(), path.mkdir()),
        lambda: path.write_bytes(flipped(content, rng)),
    ]
    if path.suffix == ".json":
        kinds += [lambda: path.write_text(json.dumps(replaced(json.loads(content), rng)))] * 6
    if path.suffix == ".yaml":
        kinds += [lambda: path.write_text(yaml.safe_dump(replaced(yaml.safe_load(content), rng)))] * 6
    kinds[rng.integers(len(kinds))]()


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    found = bytearray(content)
    found[rng.integers(len(found))] ^= 1 << rng.integers(8)
    return bytes(found)


def check(whole: Path, place: Path, cases: range, is_sealed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_plots", lambda *_: [])
    expected = build(copy_of(whole, place / "expected"), whole / "conf").table
    for case in cases:
        rng = np.random.default_rng(case)
        outputs = place / str(case)
        shutil.copytree(whole, outputs)
        conf, folder = outputs / "conf", outputs / "lb_relax" / "table_small-0123456789"
        if not is_sealed:
            for path in folder.glob("*/metrics.json"):
                path.write_text('{"metrics": {"primal_bound": 1.0}, "wall_seconds": 1.0}')
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path = files[rng.integers(len(files))]
        damaged(path, rng)
        summary = build(folder, conf)
        print_to_terminal(summary, Terminal(file=io.StringIO(), width=120))
        named = "\n".join([*(run.folder.name for run in [*summary.failed, *summary.running]), *summary.problems])
        unharmed = summary.table.equals(expected)
        assert unharmed or not is_sealed or path.parent.name in named, (case, path)
        for run in summary.failed:
            assert run.cause, (case, path)
            if run.state == "corrupt":
                assert not finished_whole(run.folder) or not is_sealed, (case, path)
        try:
            write(compare(folder, whole / "lb_relax" / "table_small-0123456789"), outputs / "compared")
        except RepriseError:
            assert not summary.table.equals(expected), (case, path)
        assert len(build_ledger(outputs, conf).judgements) == 1
        shutil.rmtree(outputs)


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "of an older version"])
def test_a_damaged_file_of_a_record_ends_in_a_report_that_names_it(
    is_sealed: bool, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(whole, tmp_path, range(12), is_sealed, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "of an older version"])
def test_thousands_of_damaged_files_end_so(
    is_sealed: bool, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(whole, tmp_path, range(1000, 2500), is_sealed, monkeypatch)


def copy_of(whole: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "table_small-0123456789"
    shutil.copytree(whole / "lb_relax" / "table_small-0123456789", folder)
    return folder


@pytest.mark.parametrize("name", ["results.parquet", "traces.parquet", "environment.json", "config.yaml"])
@pytest.mark.parametrize("how", ["truncated", "removed"])
def test_a_finished_run_that_lost_a_file_is_named_with_the_command_that_does_it_again(
    name: str, how: str, whole: Path, tmp_path: Path
) -> None:
    folder = copy_of(whole, tmp_path)
    run = folder / "good-seed0-ca_small"
    assert finished_whole(run)
    path = run / name
    content = path.read_bytes()
    path.unlink()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2] + b"\x00")
    assert not finished_whole(run)
    (lost,) = [each for each in load(folder).runs if each.folder == run]
    assert lost.state == "corrupt"
    assert name in lost.cause
    assert lost.cause.endswith("this does it again: python launch.py -m solver=good,poor")


def test_a_run_on_its_own_is_named_with_its_own_command(whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path) / "good-seed0-ca_small"
    alone = run.rename(tmp_path / "alone")
    (alone / "results.parquet").write_bytes(b"PAR1")
    (lost,) = load(alone).runs
    assert lost.cause == (
        "cannot be read: results.parquet is not what the run wrote; this does it again: "
        "python launch.py experiment=lb_relax/table_small solver=good seed=0"
    )


@pytest.mark.parametrize("content", ["3", "[]", "{}", '"x"', "null", "["])
def test_a_run_whose_record_says_nothing_is_not_finished(content: str, whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path) / "good-seed0-ca_small"
    (run / "metrics.json").write_text(content)
    assert status(run) == RunStatus.KILLED
    assert not finished_whole(run)


def test_one_digit_of_the_record_is_noticed(whole: Path, tmp_path: Path) -> None:
    run = copy_of(whole, tmp_path) / "good-seed0-ca_small"
    path = run / "metrics.json"
    path.write_text(path.read_text().replace('"primal_bound": 1.0', '"primal_bound": 7.0'))
    assert not finished_whole(run)


def test_other_settings_are_said_and_do_not_cost_the_run(whole: Path, tmp_path: Path) -> None:
    folder = copy_of(whole, tmp_path)
    path = folder / "good-seed0-ca_small" / "config.yaml"
    path.write_text(path.read_text() + "report: {at_seconds: [0.2]}\n")
    assert finished_whole(path.parent)
    summary = build(folder)
    assert "good-seed0-ca_small: its config.yaml is not what the run wrote" in summary.problems
    assert "primal_gap_at_0.2_seconds" in set(summary.table["metric"])


def test_removed_folders_are_counted_with_the_command_that_does_them_again(whole: Path, tmp_path: Path) -> None:
    folder = copy_of(whole, tmp_path)
    (folder / "not_begun.json").unlink()
    assert not any("gone" in problem for problem in build(folder).problems)
    shutil.rmtree(folder / "poor-seed0-ca_small")
    again = "this does what is missing: python launch.py -m solver=good,poor"
    assert f"the folders of 1 of 3 jobs are gone; {again}" in build(folder).problems
