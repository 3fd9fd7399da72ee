"""Copy a run's reports to a dashboard, from a process of its own.

A dashboard that refuses, hangs, crashes or starts threads cannot touch the run: the run writes its reports to its
folder (:mod:`runs.loggers.local`) and this process follows them. Two runs of one sweep are two processes, so they never
merge. The run waits for the copy only at its end, and at most :data:`FINISH_SECONDS`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import psutil

from runs.files import read_json, write_json
from runs.loggers.dashboard import Dashboard
from runs.loggers.local import EVENTS, RunInfo, parse_event
from runs.text import one_line

FINISH_SECONDS = 55.0
"""The longest that a run waits for one dashboard, after its results are on disk."""

_OPEN_SECONDS = 25.0  # of which a backend may take so much to begin
_CLOSE_SECONDS = 28.0  # and so much to upload the rest
_POLL_SECONDS = 0.1

# A cluster sends these to every process of a job; the copy ends when the run says so.
_JOB_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

log = logging.getLogger(__name__)


class Mirror:
    """The run's side: starts the copying process, tells it the end, and ends it when it takes too long.

    Parameters
    ----------
    name
        The dashboard's name in messages and files.
    dashboard
        What is to be shown where.
    run
        The run; its reports are in ``run.folder``.
    """

    def __init__(self, name: str, dashboard: Dashboard, run: RunInfo) -> None:
        self.name = name
        self._folder = run.folder / "dashboards"
        self._status = self._folder / f"{name}.json"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = self._start(dashboard, run)
        except OSError as error:
            self._warn(f"could not be started ({error})")

    def ask_to_finish(self, success: bool) -> None:
        """Tell the process that the reports are complete; it goes on to upload the rest."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"success\n" if success else b"failure\n")
                self._process.stdin.close()

    def wait(self, deadline: float) -> None:
        """Wait for the process until ``deadline`` (monotonic seconds) and end it then; says what went wrong, once."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        if process.poll() is None:
            _kill_children(process.pid)
            process.kill()
            process.wait()
        status = read_json(self._status) or {}
        if not status.get("complete"):
            self._warn(f"the copy is not complete: {status.get('remark') or 'its process ended without a word'}")
        elif status.get("remark"):
            self._warn(status["remark"])

    def _start(self, dashboard: Dashboard, run: RunInfo) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._status.unlink(missing_ok=True)
        source = str(Path(__file__).resolve().parents[2])
        environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
        with open(self._folder / f"{self.name}.log", "ab") as output, _blocked(_JOB_SIGNALS):
            process = subprocess.Popen(
                [sys.executable, "-m", "runs.loggers.mirror"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the run; its end is told through the pipe
            )
        assert process.stdin is not None
        order = {
            "class": [type(dashboard).__module__, type(dashboard).__qualname__],
            "settings": {item.name: getattr(dashboard, item.name) for item in fields(dashboard) if item.init},
            "run": {**asdict(run), "folder": str(run.folder.resolve())},
            "status": str(self._status.resolve()),
            "parent": os.getpid(),
        }
        process.stdin.write(json.dumps(order, default=str).encode() + b"\n")
        process.stdin.flush()
        return process

    def _warn(self, message: str) -> None:
        output = self._folder / f"{self.name}.log"
        log.warning(
            "%s: %s. The results are complete in the run's folder; details: %s", self.name, one_line(message), output
        )


@contextlib.contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Hold signals back, also in a process started meanwhile, until it has its own mind about them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Follower:
    """The copying process: hands each report to the dashboard, then closes it.

    Parameters
    ----------
    order
        The first line that :class:`Mirror` wrote to the pipe.
    pipe
        Where the word about the end will come from.
    """

    def __init__(self, order: dict[str, Any], pipe: io.RawIOBase) -> None:
        module, name = order["class"]
        self.dashboard: Dashboard = getattr(importlib.import_module(module), name)(**order["settings"])
        self.run = RunInfo(**{**order["run"], "folder": Path(order["run"]["folder"])})
        self.status = Path(order["status"])
        self.parent: int = order["parent"]
        self.pipe = pipe
        self.ending: str | None = None
        self.opened = threading.Event()
        self._last_word = threading.Lock()
        self.remark: str | None = None

    def follow(self) -> None:
        """Copy until the run says that it ended, or is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        self.remark = self.dashboard.open(self.run)
        self.opened.set()
        self._report(complete=False)
        for event in self._events():
            try:
                self._show(event)
            except Exception as error:
                log.exception("report %s", event.get("name", event["kind"]))
                self.remark = self.remark or f"some reports were not taken ({type(error).__name__}: {error})"
        self.dashboard.close(success=self.ending == "success")
        self._last_word.acquire()
        self._report(complete=True)
        _leave(0)

    def give_up(self, reason: str) -> None:
        """Leave word of why the copy is not complete, and end this process; the first reason counts."""
        self._last_word.acquire()
        self.remark = ". ".join(filter(None, [self.remark, reason, self.dashboard.rescue()]))
        self._report(complete=False)
        _leave(1)

    def _listen(self) -> None:
        """Learn the end from the pipe, or from the parent's death; from then on the time is limited."""
        answers: list[bytes] = []
        reader = threading.Thread(target=lambda: answers.append(self.pipe.readline().strip()), daemon=True)
        reader.start()
        while reader.is_alive() and os.getppid() == self.parent:
            reader.join(_POLL_SECONDS)
        self.ending = answers[0].decode() if answers and answers[0] else "failure"
        self.opened.wait(_OPEN_SECONDS)
        time.sleep(_CLOSE_SECONDS)
        self.give_up(f"the rest was not taken within {_CLOSE_SECONDS:.0f} s")

    def _report(self, complete: bool) -> None:
        with contextlib.suppress(OSError):
            write_json(self.status, {"complete": complete, "remark": self.remark})

    def _events(self) -> Iterator[dict[str, Any]]:
        rest = b""
        with open(self.run.folder / EVENTS, "rb") as stream:
            while True:
                ended = self.ending is not None  # asked before reading: what was written until then is read
                content = stream.read()
                *lines, rest = (rest + content).split(b"\n")
                yield from filter(None, map(parse_event, lines))
                if ended and not content:
                    return
                if not content:
                    time.sleep(_POLL_SECONDS)

    def _show(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "scalars":
            self.dashboard.scalars(event["values"], event["step"])
        elif kind == "figure":
            self.dashboard.figure(event["name"], self.run.folder / event["path"])
        else:
            import pandas as pd

            frame = pd.read_parquet(self.run.folder / event["path"])
            if kind == "table":
                self.dashboard.table(event["name"], frame)
            else:
                self.dashboard.curves(event["name"], frame, event["x"], event["y"], event["series"])


def main() -> None:
    """``python -m runs.loggers.mirror``, with the order as the first line of standard input."""
    logging.basicConfig(level=logging.INFO)
    for number in _JOB_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _JOB_SIGNALS)
    pipe = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - unbuffered: an exit does not wait for its lock
    follower = Follower(json.loads(pipe.readline()), pipe)
    try:
        follower.follow()
    except Exception as error:
        log.exception("the copy ended early")
        follower.give_up(f"{type(error).__name__}: {error}")


def _leave(code: int) -> None:
    """End this process at once: a backend's own exit handlers may wait for a server for ever."""
    logging.shutdown()
    _kill_children(os.getpid())
    os._exit(code)


def _kill_children(pid: int) -> None:
    """End what a backend started; some of it has left the process group."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(pid).children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=2.0)


if __name__ == "__main__":
    main()
