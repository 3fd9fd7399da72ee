"""A run of a sweep, and Hydra's launcher, each in a copy of the process that looks after it: how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runs.interrupt import Interrupted
from runs.launch import isolation, sweep
from runs.launch.jobs import Ledger
from runs.launch.launcher import launch_jobs


class Quiet:
    """In place of the display."""

    def update(self, at_once: bool = False) -> None: ...


class Application:
    """In place of Hydra's: ``multirun`` does what it is told."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def multirun(self, name: str, task: Any, overrides: list[str]) -> None:
        os.write(1, f"launching {overrides[:1]}".encode())
        self.act()


def supervised(act: Any, folder: Path) -> int:
    ledger = Ledger(folder, "meaning")
    launch = partial(launch_jobs, Application(act), lambda cfg: None, ledger, ["a=1"], None)
    return sweep._supervise(launch, Quiet())  # type: ignore[arg-type]


def stop_us(number: int) -> None:
    os.kill(os.getppid(), number)
    time.sleep(60)


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGKILL, "killed by SIGKILL: by hand, or"), (signal.SIGXCPU, "killed by SIGXCPU")]
)
def test_what_killed_a_run_is_told(number: int, said: str) -> None:
    asked, code = isolation._run(lambda cfg: os.kill(os.getpid(), number), None)  # type: ignore[arg-type, func-returns-value]
    assert (asked, code) == ([], -number)
    assert isolation._cause(code).startswith(said)


def test_a_run_that_leaves_by_itself_is_told_with_its_code() -> None:
    asked, code = isolation._run(lambda cfg: sys.exit(3), None)
    assert (asked, code) == ([], 3) and "exit code 3" in isolation._cause(code)
    assert isolation._run(lambda cfg: 1.0, None) == ([], 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_the_run(number: int) -> None:
    assert isolation._run(lambda cfg: stop_us(number), None) == ([number], 128 + number)  # type: ignore[arg-type, func-returns-value]


def test_a_run_saves_at_the_warning_of_a_preemption(tmp_path: Path) -> None:
    def job(cfg: Any) -> None:
        try:
            stop_us(signal.SIGUSR2)
        except Interrupted:
            (tmp_path / "saved").touch()
            raise

    before = signal.signal(signal.SIGUSR2, lambda number, frame: None)  # submitit's
    try:
        assert isolation._run(job, None) == ([signal.SIGUSR2], 128 + signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (tmp_path / "saved").exists()


def test_a_run_that_does_not_save_in_time_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def job(cfg: Any) -> None:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        stop_us(signal.SIGUSR2)

    monkeypatch.setattr(isolation, "REQUEUE_PATIENCE_SECONDS", 0.2)
    before = signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        assert isolation._run(job, None) == ([signal.SIGUSR2], -signal.SIGKILL)
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize(("act", "code"), [(lambda: None, 0), (lambda: sys.exit(3), 3), (lambda: 1 // 0, 1)])
def test_a_launcher_gives_its_exit_code_and_leaves_its_words(act: Any, code: int, tmp_path: Path) -> None:
    assert supervised(act, tmp_path) == code
    assert (tmp_path / "launcher.log").read_text().startswith("launching ['a=1']")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_the_sweep_reaches_the_launcher_and_its_workers(number: int, tmp_path: Path) -> None:
    def act() -> None:
        if os.fork():
            stop_us(number)
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            os._exit(0)

    began = time.monotonic()
    assert supervised(act, tmp_path) == -number
    assert time.monotonic() - began < 30


def test_workers_of_a_dead_launcher_are_asked_to_stop_cleanly(tmp_path: Path) -> None:
    def tidy(number: int, frame: Any) -> None:
        (tmp_path / "tidied").touch()
        os._exit(0)

    def act() -> None:
        if os.fork():
            while not (tmp_path / "up").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGTERM, tidy)
        (tmp_path / "up").touch()
        time.sleep(60)

    assert supervised(act, tmp_path) == -signal.SIGKILL
    assert (tmp_path / "tidied").exists()


@pytest.mark.parametrize(("executor", "code"), [("slurm", 1), ("local", 1), (None, 0)])
def test_a_job_whose_run_failed_has_failed_for_the_scheduler_after_its_answer(executor: str | None, code: int) -> None:
    program = "from runs.launch import isolation; isolation._fail_for_the_scheduler(); print('answer')"
    environment = {name: value for name, value in os.environ.items() if name != "SUBMITIT_EXECUTOR"}
    environment |= {"SUBMITIT_EXECUTOR": executor} if executor else {}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (code, "answer\n")
