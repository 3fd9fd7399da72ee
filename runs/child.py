"""Child processes under care: a compiler, a simulator, a parser of foreign files, a run of a sweep.

Every child leads a process group of its own, dies with the parent that started it, and is killed and reaped with all
that it started when its ``with`` block ends, however that ends.

========= ==================================================== ==========================================
          what the child is                                    who keeps the time
========= ==================================================== ==========================================
run       a program, or ``python -m module``, to its end       this module, its limit is ``seconds``
started   a program that goes on beside us, such as a service  the caller
serving   a function of ours in a fresh interpreter, a pipe    the caller
forked    a function of ours in a copy of this process         the caller; signals of ours are passed on
========= ==================================================== ==========================================

The kernel ties a child to the *thread* that started it: start it from one that outlives it. Where a parent is killed
outright, only its own children die at once; theirs lose their pipes.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection, Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from runs import child_start, interrupt
from runs.errors import ConfigError, MissingDependency, RepriseError

_POLL_SECONDS = 0.05
_KILL_SECONDS = 5.0  # what the kernel may take to end a whole group
_PIECE_BYTES = 1 << 16
_LAST_BYTES = 1 << 13
_LAST_LINES = 6
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
_HARMLESS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")

Handler = Callable[[int, FrameType | None], Any] | int


@dataclass(frozen=True)
class Limits:
    """What a child may use, kept by the kernel for it and for each process that it starts; None for no limit.

    Parameters
    ----------
    cpu_seconds
        Time on processors, rounded up to whole seconds.
    memory_bytes
        Address space, which is more than what is resident.
    output_bytes
        Size of each file that it writes; with :func:`run` also of all that it prints.

    Raises
    ------
    ConfigError
        A limit is not positive.
    """

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    output_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value}; the limit of a child process must be positive, or None")

    def __str__(self) -> str:
        said = {
            "of CPU time": self.cpu_seconds and f"{self.cpu_seconds:g} s",
            "of memory": self.memory_bytes and _in_mib(self.memory_bytes),
            "of output": self.output_bytes and _in_mib(self.output_bytes),
        }
        return ", ".join(f"{value} {what}" for what, value in said.items() if value)


@dataclass(frozen=True)
class Printed:
    """What a child printed: its standard output, and the end of its standard error."""

    output: bytes = b""
    errors: bytes = b""

    @property
    def last_words(self) -> str:
        """The last lines of its standard error (of its output, where there are none) in one line."""
        for stream in (self.errors, self.output[-_LAST_BYTES:]):
            lines = [line.strip() for line in stream.decode(errors="replace").splitlines() if line.strip()]
            if lines:
                return " / ".join(lines[-_LAST_LINES:])
        return "none"


class ChildFailure(RepriseError):
    """A child exceeded a limit or ended badly; the message names program, cause, limits and last words.

    Parameters
    ----------
    limit
        The limit that it exceeded: "seconds", "cpu_seconds" or "output_bytes". None for other ends; too little memory shows
        as a bad end, since each program takes it in its own way.
    code
        Exit code, or minus the signal that ended it.
    printed
        What it said until then: the work of a compiler up to the pass that crashed, say.
    """

    def __init__(
        self, message: str, limit: str | None = None, code: int | None = None, printed: Printed | None = None
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.code = code
        self.printed = printed or Printed()


class Child(ABC):
    """A started process, the leader of a group of its own."""

    pid: int

    @abstractmethod
    def wait(self, seconds: float | None = None) -> int | None:
        """Exit code, or minus the signal that ended it; None while it is still there after ``seconds``."""

    def send(self, number: int, *, to_group: bool = False) -> None:
        """Send it a signal, or its whole group; one that is gone does not hear it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if to_group else os.kill)(self.pid, number)

    def end(self, patience: float = 0.0) -> None:
        """Stop and reap it with all that is left of its group: by SIGTERM, after ``patience`` seconds by SIGKILL."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, _KILL_SECONDS)):
            if not seconds:
                continue
            until = time.monotonic() + seconds
            self.send(number, to_group=True)
            while self.wait(0) is None or _lives(self.pid):
                if time.monotonic() > until:
                    break
                time.sleep(_POLL_SECONDS)
            else:
                return
        self.wait()


class Command(Child):
    """A program; see :func:`started`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def allow(self, cpu_seconds: float) -> None:
        """Let it use so much CPU time from now on, in whole seconds; then SIGXCPU ends it."""
        with contextlib.suppress(psutil.Error, OSError):  # it is gone
            used = psutil.Process(self.pid).cpu_times()
            soft = math.ceil(used.user + used.system + cpu_seconds)
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (soft, resource.prlimit(self.pid, resource.RLIMIT_CPU)[1]))

    @property
    def stopped(self) -> bool:
        """Whether it stands still until a SIGCONT."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        return False


class Forked(Child):
    """A function of ours in a copy of this process; ``asked`` are the signals passed on so far. See :func:`forked`."""

    def __init__(self, process: BaseProcess, asked: list[int]) -> None:
        assert process.pid is not None
        self.process = process
        self.pid = process.pid
        self.asked = asked
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(self.pid, self.pid)

    def wait(self, seconds: float | None = None) -> int | None:
        until = math.inf if seconds is None else time.monotonic() + seconds
        while (code := self.process.exitcode) is None and time.monotonic() < until:
            # What it forked may hold the sentinel after its end, so this alone would wait for those, too
            connection.wait([self.process.sentinel], min(_POLL_SECONDS, until - time.monotonic()))
        return code


def run(
    command: Sequence[str | Path],
    *,
    seconds: float,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    patience: float = 2.0,
    remedy: str = "install it, or give its path",
) -> Printed:
    """Run a program to its end.

    Parameters
    ----------
    command
        The program, found on the PATH or by its path, and its arguments.
    seconds
        Limit on the wall clock.
    limits
        All other limits.
    environment
        All that it sees of the environment; None for :func:`bare_environment`.
    folder
        Where it works; None for here.
    on_line
        Called with each line of its standard output as it comes, without the end of line.
    patience
        Seconds between SIGTERM and SIGKILL, where the time is up or a signal asks us to stop.
    remedy
        What to do where the program is missing.

    Raises
    ------
    MissingDependency
        There is no such program.
    ChildFailure
        It exceeded a limit, or ended otherwise than with code 0.
    runs.interrupt.Interrupted
        SIGINT or SIGTERM reached us; the child was stopped.
    """
    ear = _Ear(on_line)
    with (
        interrupt.watch(),
        started(
            command,
            limits=limits,
            environment=environment,
            folder=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            remedy=remedy,
        ) as child,
    ):
        exceeded = _listen(child, ear, time.monotonic() + seconds, limits.output_bytes or math.inf)
        child.end(patience)
        interrupt.check()
        code = child.wait()
    exceeded = exceeded or {-signal.SIGXCPU: "cpu_seconds", -signal.SIGXFSZ: "output_bytes"}.get(code or 0)
    if exceeded or code:
        program = Path(command[0]).name
        what = _excess(exceeded, seconds, limits) if exceeded else f"ended with {cause(code or 0)}"
        held = ", ".join(filter(None, [f"{seconds:g} s", str(limits)]))
        message = f"{program} {what} (its limits: {held}); its last words: {ear.printed.last_words}"
        raise ChildFailure(message, exceeded, code, ear.printed)
    return ear.printed


def _listen(child: Command, ear: _Ear, until: float, most: float) -> str | None:
    """Hear the child to its end, or until a signal asks us to stop; the limit that it exceeded, if it did."""
    assert child.process.stdout is not None and child.process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.process.stdout, selectors.EVENT_READ, True)
        selector.register(child.process.stderr, selectors.EVENT_READ, False)
        while True:
            listening = bool(selector.get_map())
            ready = selector.select(_POLL_SECONDS) if listening else []
            for key, _ in ready:
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    selector.unregister(key.fileobj)
                ear.take(piece, is_output=key.data)
            if ear.heard > most:
                return "output_bytes"
            if interrupt.requested():
                return None
            if not ready and child.wait(0 if listening else _POLL_SECONDS) is not None:
                return None
            if time.monotonic() > until:
                return "seconds"


class _Ear:
    """What was heard of a child."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self.on_line = on_line
        self.heard = 0
        self.output = bytearray()
        self.errors = bytearray()
        self.line = 0  # where the line begins that is not whole yet

    def take(self, piece: bytes, is_output: bool) -> None:
        self.heard += len(piece)
        if not is_output:
            self.errors += piece
            del self.errors[:-_LAST_BYTES]
            return
        self.output += piece
        if self.on_line is None:
            return
        *lines, rest = self.output[self.line :].split(b"\n")
        if not piece and rest:  # the last line of all may have no end
            lines.append(rest)
        self.line = len(self.output) - len(rest)
        for line in lines:
            self.on_line(line.decode(errors="replace"))

    @property
    def printed(self) -> Printed:
        return Printed(bytes(self.output), bytes(self.errors))


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    *,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
    remedy: str = "install it, or give its path",
) -> Iterator[Command]:
    """A program that goes on while the block runs; the parameters are those of :func:`run`.

    Parameters
    ----------
    stdout, stderr
        Where it prints: a file, ``subprocess.PIPE``, or None for where we do.
    pass_fds
        Open file descriptors that it gets.

    Raises
    ------
    MissingDependency
        There is no such program.
    ChildFailure
        The machine could not start it.
    """
    environment = bare_environment() if environment is None else environment
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise MissingDependency(f"there is no program {command[0]} (PATH is {environment.get('PATH')}); {remedy}")
    least = [limits.cpu_seconds and math.ceil(limits.cpu_seconds), limits.memory_bytes, limits.output_bytes]
    start = [sys.executable, "-I", "-S", child_start.__file__, os.getpid(), *(limit or "" for limit in least)]
    whole = [*map(str, start), str(Path(program).absolute()), *map(str, command[1:])]
    try:
        process = subprocess.Popen(
            whole,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops the child in good order
        )
    except OSError as error:
        raise ChildFailure(f"{command[0]} could not be started in {folder or Path.cwd()}: {error}") from error
    child = Command(process)
    with process:
        try:
            yield child
        finally:
            child.end()


@contextlib.contextmanager
def serving(
    function: Callable[[Connection], None],
    *,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> Iterator[tuple[Command, Connection]]:
    """A module-level function of ours in a fresh interpreter, called with one end of a pipe; the other end is ours.

    For native code that does not survive a fork. What it sends until it dies is here; after that ``recv`` raises EOFError.
    One that does task after task gives itself CPU time for each by :func:`runs.child_start.allow`.

    Parameters
    ----------
    function
        What the child does.
    limits, environment, stderr
        As those of :func:`started`.
    """
    ours, theirs = Pipe()
    call = (
        "from multiprocessing.connection import Connection; "
        f"from {function.__module__} import {function.__name__}; {function.__name__}(Connection({theirs.fileno()}))"
    )
    modules = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    environment = {**(bare_environment() if environment is None else environment), "PYTHONPATH": modules}
    command = [sys.executable, "-c", call]
    pipe = [theirs.fileno()]
    with ours, started(command, limits=limits, environment=environment, stderr=stderr, pass_fds=pipe) as child:
        theirs.close()
        yield child, ours


@contextlib.contextmanager
def forked(
    function: Callable[[], object],
    signals: Mapping[int, Handler],
    *,
    death: int = signal.SIGKILL,
    to_group: bool = False,
) -> Iterator[Forked]:
    """A function of ours in a copy of this process, which shares all that is loaded; signals of ours are passed on to it.

    The function's SystemExit gives the exit code; any other exception is printed and gives 1.

    Parameters
    ----------
    signals
        The signals that we pass on while the block runs, none of which is lost, and what the child does at each.
    death
        What the child gets when we die.
    to_group
        Whether a signal goes to all that the child started, too.
    """
    asked: list[int] = []
    child: Forked | None = None

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if child is not None:
            child.send(number, to_group=to_group)

    previous = {number: signal.signal(number, pass_on) for number in signals}
    try:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # in the child, until it has its own mind about them
        try:
            work = (function, signals, before, os.getpid(), death)
            process = multiprocessing.get_context("fork").Process(target=_work, args=work)
            process.start()
            child = Forked(process, asked)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in list(asked):  # came before there was a child
            child.send(number, to_group=to_group)
        yield child
    finally:
        if child is not None:
            child.end()
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _work(
    function: Callable[[], object], signals: Mapping[int, Handler], mask: set[int], parent: int, death: int
) -> None:
    os.setpgid(0, 0)
    child_start.die_with(parent, death)
    for number, handler in signals.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    function()


def end_workers(patience: float) -> None:
    """Stop what ``multiprocessing`` has started here (ranks, loaders of data) as :meth:`Child.end` does.

    At its end a process would wait for them for ever.
    """
    workers = multiprocessing.active_children()
    until = time.monotonic() + patience
    for worker in workers:
        with contextlib.suppress(ValueError, OSError):
            worker.terminate()
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
    for worker in workers:
        if worker.is_alive():
            worker.kill()
            worker.join(_KILL_SECONDS)


def bare_environment(**more: str) -> dict[str, str]:
    """What a program needs of our environment, and ``more``: none of our secrets, and one thread for each math library."""
    kept = {name: os.environ[name] for name in _HARMLESS if name in os.environ}
    return kept | ONE_THREAD | more


def cause(code: int) -> str:
    """What ended a process with an exit code, or with minus a signal."""
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"{name}: by hand, or because the memory ran out" if -code == signal.SIGKILL else name


def _excess(limit: str, seconds: float, limits: Limits) -> str:
    most = {
        "seconds": f"took more than {seconds:g} s",
        "cpu_seconds": f"took more than {limits.cpu_seconds} s of CPU time",
        "output_bytes": f"wrote more than {_in_mib(limits.output_bytes or 0)}",
    }
    return f"{most[limit]}; raise the limit or give it less to do"


def _in_mib(size: int) -> str:
    return f"{size / 2**20:g} MiB"


def _lives(group: int) -> bool:
    """Whether a process of the group still runs; a zombie that nobody reaps does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
