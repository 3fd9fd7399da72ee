"""The log of a run: its own files, and dashboards that cannot harm it."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from runs.errors import ConfigError, MissingDependency
from runs.loggers import log as log_module
from runs.loggers.local import EVENTS, RunInfo, read_events, read_scalars
from runs.loggers.log import RunLog, build
from tests.composition import composed

HERE = Path(__file__).parent
CONF = HERE.parents[2] / "conf"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    return RunInfo(tmp_path / "run", {"task": {"size": 3}}, "sweep", "lns-seed0", "abc123")


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a ``NotesDashboard`` writes; makes it importable here and in the copying process."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return tmp_path / "notes"


def _notes_node(path: Path, **settings: Any) -> dict[str, Any]:
    return {"notes": {"_target_": "misbehaving_dashboards.NotesDashboard", "path": str(path), **settings}}


def _report_everything(log: RunLog) -> None:
    frame = pd.DataFrame({"seconds": [0.0, 1.5], "objective": [5.0, 3.0]})
    for step in range(3):
        log.log_scalars({"loss": 1.0 / (step + 1)}, step)
    log.log_curves("anytime", frame)
    log.log_table("results", frame)
    (log.run.folder / "gap.png").write_bytes(PNG)
    log.log_figure("gap", log.run.folder / "gap.png")
    log.log_scalars({"gap": 0.25})


EVERYTHING = """open lns-seed0 sweep abc123 {'task': {'size': 3}}
scalars {'loss': 1.0} 0
scalars {'loss': 0.5} 1
scalars {'loss': 0.3333333333333333} 2
curves anytime 2 seconds objective None
table results 2
figure gap PNG
scalars {'gap': 0.25} None
close True
"""


def test_reports_lie_in_the_run_folder_without_any_dashboard(run: RunInfo) -> None:
    with build(None, run) as log:
        _report_everything(log)
    scalars = read_scalars(run.folder)
    assert scalars[scalars.name == "loss"].value.tolist() == [1.0, 1 / 2, 1 / 3]
    assert pd.read_parquet(run.folder / "curves/anytime.parquet").objective.tolist() == [5.0, 3.0]
    kinds = " ".join(event["kind"] for event in read_events(run.folder))
    assert kinds == "scalars scalars scalars curves table figure scalars"
    assert not (run.folder / "dashboards").exists()


def test_numbers_that_json_lacks_survive(run: RunInfo) -> None:
    with build({}, run) as log:
        log.log_scalars({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.1 + 0.2}, 0)
    values = read_scalars(run.folder).value.tolist()
    assert math.isnan(values[0]) and values[1:] == [math.inf, -math.inf, 0.1 + 0.2]


def test_a_resumed_run_continues_its_reports_and_the_later_one_counts(run: RunInfo) -> None:
    with build({}, run) as log:
        for step in range(4):
            log.log_scalars({"loss": -1.0 if step == 3 else float(step)}, step)
    with open(run.folder / EVENTS, "ab") as stream:
        stream.write(b'{"kind": "scalars", "step": 4, "val')  # the kill fell into this write
    with build({}, run) as log:
        for step in range(3, 6):
            log.log_scalars({"loss": float(step)}, step)
    assert read_scalars(run.folder)[["step", "value"]].to_numpy().tolist() == [[step, step] for step in range(6)]


def test_a_refusing_disk_stops_the_run_not_the_truth(run: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with build({}, run) as log:
        log.log_scalars({"a": 1.0}, 0)
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
            patch.setattr(os, "write", refuse)
            log.log_scalars({"a": 2.0}, 1)
    assert read_scalars(run.folder).value.tolist() == [1.0]


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "SLURM_PROCID", "NODE_RANK"])
def test_other_ranks_report_nothing(run: RunInfo, notes: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    run.config["hardware"] = {"devices": 2, "num_nodes": 1, "strategy": "ddp"}
    with build(_notes_node(notes), run) as log:
        log.log_scalars({"loss": 1.0}, 0)
    assert not run.folder.exists() and not notes.exists()


def test_a_dashboard_gets_every_report_in_order(run: RunInfo, notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    with build(_notes_node(notes), run) as log:
        _report_everything(log)
    assert notes.read_text() == EVERYTHING
    assert not caplog.records


def test_a_dashboard_of_a_resumed_run_gets_the_earlier_life_too(run: RunInfo, notes: Path) -> None:
    with build({}, run) as log:
        log.log_scalars({"loss": 1.0}, 0)
    with build(_notes_node(notes), run) as log:
        log.log_scalars({"loss": 0.5}, 1)
    assert notes.read_text().splitlines()[1:] == ["scalars {'loss': 1.0} 0", "scalars {'loss': 0.5} 1", "close True"]


def test_a_failed_run_is_shown_as_failed(run: RunInfo, notes: Path) -> None:
    with pytest.raises(ZeroDivisionError), build(_notes_node(notes), run):
        raise ZeroDivisionError
    assert notes.read_text().splitlines()[-1] == "close False"


@pytest.mark.parametrize("how", ["raise", "die", "hang"])
@pytest.mark.parametrize("where", ["open", "scalars", "close"])
def test_a_broken_dashboard_costs_one_warning(
    run: RunInfo, notes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str, how: str
) -> None:
    if how == "hang":
        monkeypatch.setattr(log_module, "FINISH_SECONDS", 2.0)
    with build(_notes_node(notes, where=where, how=how), run) as log:
        _report_everything(log)
        (mirror,) = log._mirrors
        assert mirror._process is not None
        pid = mirror._process.pid
    assert not psutil.pid_exists(pid)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and str(run.folder) in record.getMessage()
    if how == "raise":
        assert f"broken at {where}" in record.getMessage()
    assert len(list(read_events(run.folder))) == 7


def test_a_report_that_is_refused_does_not_stop_the_next(run: RunInfo, notes: Path) -> None:
    with build(_notes_node(notes, where="table"), run) as log:
        _report_everything(log)
    assert notes.read_text() == EVERYTHING


def test_several_dashboards_share_one_deadline(run: RunInfo, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "FINISH_SECONDS", 2.0)
    (hanging,) = _notes_node(notes, where="open", how="hang").values()
    good = notes.with_name("good")
    nodes = {f"hanging{i}": hanging for i in range(2)} | _notes_node(good)
    log = build(nodes, run)
    _report_everything(log)
    processes = [psutil.Process(mirror._process.pid) for mirror in log._mirrors if mirror._process]
    deadline = time.monotonic() + 60
    while (not good.exists() or good.read_text().count("\n") < 8) and time.monotonic() < deadline:
        time.sleep(0.05)
    log.finish()
    assert good.read_text() == EVERYTHING
    assert len(processes) == 3 and not any(process.is_running() for process in processes)
    log.finish()


def test_a_killed_run_ends_its_dashboard_as_failed(run: RunInfo, notes: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from runs.loggers.log import RunInfo, build\n"
        "from misbehaving_dashboards import NotesDashboard\n"
        "from runs.loggers.log import RunLog\n"
        "log = RunLog(RunInfo(Path(sys.argv[1]), {}, 'g', 'n', 'r'), {'notes': NotesDashboard(sys.argv[2])})\n"
        "log.log_scalars({'loss': 1.0}, 0)\n"
        "print(log._mirrors[0]._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(run.folder), str(notes)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    mirror = psutil.Process(int(child.stdout.readline()))
    mirror.send_signal(signal.SIGTERM)  # as a cluster does to every process of a job
    child.kill()
    child.communicate()
    psutil.wait_procs([mirror], timeout=60)
    assert notes.read_text().splitlines()[1:] == ["scalars {'loss': 1.0} 0", "close False"]


def test_leaving_the_interpreter_closes_a_log_left_open(run: RunInfo, notes: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from runs.loggers.log import RunInfo, RunLog\n"
        "from misbehaving_dashboards import NotesDashboard\n"
        "RunLog(RunInfo(Path(sys.argv[1]), {}, 'g', 'n', 'r'), {'notes': NotesDashboard(sys.argv[2])})\n"
        "raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(run.folder), str(notes)]).returncode == 3
    assert notes.read_text().splitlines()[-1] == "close False"


def test_secrets_of_the_environment_reach_no_dashboard(
    run: RunInfo, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SERVICE_API_KEY", "do-not-show-me")
    run.config["nested"] = {"url": ["https://user:do-not-show-me@host"], "plain": "shown"}
    with build(_notes_node(notes), run):
        pass
    assert "do-not-show-me" not in notes.read_text() and "shown" in notes.read_text()


def test_a_missing_package_names_the_install_line(run: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wandb", "tensorboard", "trackio"):
        monkeypatch.setitem(sys.modules, name, None)
        target = f"runs.loggers.{name}.{name.capitalize()}Dashboard"
        with pytest.raises(MissingDependency, match=r"pip install .*\[tracking\]"):
            build({name: {"_target_": target}}, run)
    assert not run.folder.exists()


def test_a_wrong_entry_is_named(run: RunInfo, notes: Path) -> None:
    with pytest.raises(ConfigError, match=r"logger\.wandb.*projct"):
        build({"wandb": {"_target_": "runs.loggers.wandb.WandbDashboard", "projct": "x"}}, run)
    with pytest.raises(ConfigError, match=r"logger\.mine is a Counter"):
        build({"mine": {"_target_": "collections.Counter"}}, run)
    with pytest.raises(ConfigError, match=r"no column \['gap'\]"), build({}, run) as log:
        log.log_curves("c", pd.DataFrame({"seconds": [0.0]}), y="gap")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("logger=wandb", {"wandb"}),
        ("logger=[local,wandb]", {"local", "wandb"}),
        ("logger=[tensorboard,trackio,wandb]", {"tensorboard", "trackio", "wandb"}),
        ("logger=[]", set()),
    ],
)
def test_one_or_several_loggers_are_chosen_on_the_command_line(run: RunInfo, choice: str, expected: set[str]) -> None:
    chosen = composed(choice).get("logger") or {}
    assert set(chosen) == expected
    for name, node in chosen.items():
        made = log_module._instantiate(name, node)
        assert name in type(made).__module__


def test_lightning_reports_through_the_log(run: RunInfo) -> None:
    import pytorch_lightning as lightning
    from pytorch_lightning.demos.boring_classes import BoringModel

    from runs.loggers.trainer import TrainerLogger

    class Model(BoringModel):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("twice", 2.0 * batch_idx)
            return super().training_step(batch, batch_idx)

    with build({}, run) as log:
        trainer = lightning.Trainer(
            max_steps=3,
            log_every_n_steps=1,
            limit_val_batches=0,
            accelerator="cpu",
            logger=TrainerLogger(log),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Model())
    scalars = read_scalars(run.folder)
    assert scalars[scalars.name == "twice"][["step", "value"]].to_numpy().tolist() == [[0, 0], [1, 2], [2, 4]]


def test_a_forked_first_rank_reports_and_a_forked_second_one_does_not(
    run: RunInfo, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under ``ddp_fork``: the log is made before the ranks are forked, and used in the first of them."""
    from lightning_utilities.core.rank_zero import rank_zero_only

    with build(_notes_node(notes), run) as log:
        for rank in (0, 1):
            child = os.fork()
            if child == 0:
                rank_zero_only.rank = rank
                log.log_scalars({"rank": float(rank)}, 0)
                log.finish()
                os._exit(0)
            os.waitpid(child, 0)
        log.log_scalars({"end": 1.0})
    assert notes.read_text().splitlines()[1:-1] == ["scalars {'rank': 0.0} 0", "scalars {'end': 1.0} None"]


@pytest.mark.parametrize(
    "line",
    ["", "{", "3", "[]", "{}", '{"kind": "scalars"}', '{"kind": "scalars", "step": [], "values": {}}',
     '{"kind": "scalars", "step": 1, "values": 3}', '{"kind": "scalars", "step": 1, "values": {"a": []}}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_line_of_the_reports_is_left_out(line: str, tmp_path: Path) -> None:
    whole = json.dumps({"kind": "scalars", "step": 1, "values": {"loss": "nan"}})
    (tmp_path / "events.jsonl").write_text(f"{whole}\n{line}\n")
    assert read_scalars(tmp_path)[["step", "name"]].to_numpy().tolist() == [[1, "loss"]]
