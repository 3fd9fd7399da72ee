"""A launch forked from a warm process is what one in a new Python is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runs.files import read_json
from tests.e2e.conftest import HERE, ROOT, Launcher

LEARNING = ["experiment=toy/learning", "callbacks.keep_last.every_seconds=0"]
FAILING = [*LEARNING, "task.poison_step=3"]
DYING = ["-m", "experiment=toy/misbehaving", "task.manner=ok,raise,kill", "task.journal=/dev/null"]


@pytest.fixture
def both(tmp_path: Path) -> list[Launcher]:
    return [Launcher(tmp_path / name, fresh=name == "fresh") for name in ("warm", "fresh")]


def files(launch: Launcher) -> list[Path]:
    return sorted(path.relative_to(launch.outputs) for path in launch.outputs.rglob("*"))


def said(launch: Launcher, text: str) -> str:
    """Without what differs between two launches."""
    return re.sub(r"\d+\.\d+ s\b", "some s", text.replace(str(launch.outputs), "outputs"))


@pytest.mark.parametrize(
    ("arguments", "kill_step", "code"),
    [
        (LEARNING, "none", 0),
        (FAILING, "none", 1),
        (["experiment=toy/learnin"], "none", 2),
        (LEARNING, "7", -signal.SIGKILL),
        (DYING, "none", 1),
    ],
    ids=["finished", "failed", "mistaken", "killed", "sweep"],
)
def test_code_output_and_files_are_those_of_a_new_process(
    both: list[Launcher], arguments: list[str], kill_step: str, code: int
) -> None:
    warm, fresh = (launch(*arguments, TOY_KILL_STEP=kill_step) for launch in both)
    assert (warm.returncode, fresh.returncode) == (code, code), warm.stderr + fresh.stderr
    assert said(both[0], warm.stdout) == said(both[1], fresh.stdout)
    assert said(both[0], warm.stderr) == said(both[1], fresh.stderr)
    assert files(both[0]) == files(both[1])
    records = [[read_json(folder / "environment.json") for folder in launch.folders()] for launch in both]
    for ours, theirs in zip(*records, strict=True):
        assert {key for key in theirs if ours[key] != theirs[key]} <= {"started", "launch"}


def test_it_stops_at_a_signal_as_a_new_process_does(both: list[Launcher]) -> None:
    for launch in both:
        process = launch.start(*LEARNING, "task.step_seconds=5")
        while not list(launch.outputs.rglob("events.jsonl")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        assert os.getsid(process.pid) == process.pid
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGINT
        assert "the same command goes on from here" in output
        assert not launch.metrics()


def test_waiting_ends_at_the_timeout_and_a_launch_that_is_not_awaited_is_killed(both: list[Launcher]) -> None:
    launch = both[0]
    process = launch.start(*LEARNING, "task.step_seconds=100")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.kill()
    assert process.wait(10) == process.poll() == -signal.SIGKILL
    with pytest.raises(subprocess.TimeoutExpired):
        launch(*LEARNING, "task.step_seconds=100", timeout=0.1)


def serving(*statements: str) -> tuple[socket.socket, subprocess.Popen[str]]:
    """A server without the imports, after some statements."""
    ours, theirs = socket.socketpair()
    program = [
        "import sys, socket, warm_launcher",
        "warm_launcher.import_everything = lambda: None",
        *statements,
        "warm_launcher.serve(socket.socket(fileno=int(sys.argv[1])))",
    ]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", "\n".join(program), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])},
            stderr=subprocess.PIPE,
            text=True,
        )
    return ours, process


def test_the_server_ends_with_the_process_that_asks_it() -> None:
    requests, server = serving()
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(1)
    requests.close()
    assert server.wait(60) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_the_server_refuses_to_fork_beside_threads() -> None:
    _, server = serving("import threading", "threading.Thread(target=threading.Event().wait, daemon=True).start()")
    assert "an import has started 1 threads" in server.communicate(timeout=60)[1]
    assert server.returncode == 1
