"""Launches that are forks of one server, which has imported everything, instead of a new Python each.

Importing torch and Lightning takes longer than most launches of the tests. A fork runs ``launch.py`` as ``__main__`` with
arguments, environment, folder, output and session of its own. From a new process it differs in this: modules are there
already, sets of strings have the server's order, and what ``atexit`` registers is not called.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import json
import multiprocessing
import os
import pkgutil
import random
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Read when libraries are loaded, so the same for all launches; on one core a launch sets the first three itself."""
_NUMBER = struct.Struct("i")


class Fork:
    """A launch, with what the tests use of :class:`subprocess.Popen`."""

    def __init__(self, status: int, stdout: IO[str], stderr: IO[str]) -> None:
        self._status, self._stdout, self._stderr = status, stdout, stderr
        self.returncode: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        content = os.read(self._status, _NUMBER.size)
        if not content:
            raise RuntimeError("the server of the launches is dead; see what it printed")
        return int(_NUMBER.unpack(content)[0])

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("launch.py", timeout or 0)
            self.returncode = self._number()
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        for file in (self._stdout, self._stderr):
            file.seek(0)
        return self._stdout.read(), self._stderr.read()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(arguments: list[str], environment: dict[str, str], *, merged: bool = False) -> Fork:
    """Launch with ``arguments`` in exactly this environment; ``merged``: errors are printed among the output."""
    stdout, stderr = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115 # read when the launch has ended
    status, told = os.pipe()
    request = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
    files = [told, stdout.fileno(), (stdout if merged else stderr).fileno()]
    socket.send_fds(_server()[0], [json.dumps(request).encode() + b"\n"], files)
    os.close(told)
    return Fork(status, stdout, stderr)


@functools.cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Of this process: where it takes requests, and it; it ends when this process does."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            env=os.environ | WITHOUT_THREADS | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)])},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return ours, process


def serve(requests: socket.socket) -> None:
    """Fork a keeper for every request, until the other side is gone; it forks the launch and tells how that ends."""
    import_everything()
    refuse_threads()
    gc.collect()
    gc.freeze()  # forks share what neither writes to
    while True:
        content, files, _, _ = socket.recv_fds(requests, 1 << 16, 3)
        while content and not content.endswith(b"\n"):
            content += requests.recv(1 << 16)
        if not content:
            return
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            try:
                requests.close()
                _keep(json.loads(content), *files)
            finally:
                os._exit(0)
        for file in files:
            os.close(file)


def import_everything() -> None:
    """Ours, and what ours import only when they need it; then what every launch finds out anew, of files that stay."""
    from runs import environment
    from runs.launch import command

    for name in ("pytorch_lightning", "pandas", "matplotlib.pyplot", "highspy", "pyscipopt", "scipy.stats"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for package in ("runs", "data", "models", "solvers", "tasks"):
        names = [found.name for found in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")]
        for name in names:
            if not name.endswith("__main__"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
    with contextlib.redirect_stdout(io.StringIO()):
        command.main(lambda cfg: None, ["--cfg", "job"])  # Hydra finds its plugins and learns its grammar
    environment.packages()


def refuse_threads() -> None:
    """Forks have only the thread that forked; a lock that another one held would stay locked.

    Raises
    ------
    RuntimeError
        This process has several threads.
    """
    if sys.platform == "linux" and len(threads := list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError(f"an import has started {len(threads) - 1} threads, which no fork would have")


def _keep(request: dict, told: int, stdout: int, stderr: int) -> None:
    launch = multiprocessing.get_context("fork").Process(target=_launch, args=(request, told, stdout, stderr))
    launch.start()
    launch.join()
    os.write(told, _NUMBER.pack(launch.exitcode or 0))


def _launch(request: dict, told: int, stdout: int, stderr: int) -> None:
    os.setsid()
    for source, target in ((stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    os.write(told, _NUMBER.pack(os.getpid()))
    os.close(told)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    random.seed()
    script = str(ROOT / "launch.py")
    sys.argv = [script, *request["arguments"]]
    sys.path[0] = str(ROOT)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
