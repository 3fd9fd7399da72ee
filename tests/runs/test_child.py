"""Children that misbehave in every way: what they are held to, what is heard of them, and that none is left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from runs import child, interrupt
from runs.child import ChildFailure, Limits
from runs.errors import ConfigError, MissingDependency

MIB = 1 << 20


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(program)]


def run(program: str, seconds: float = 60, limits: Limits | None = None, **settings) -> child.Printed:
    return child.run(python(program), seconds=seconds, limits=limits or Limits(), **settings)


def failure(program: str, seconds: float = 60, limits: Limits | None = None, **settings) -> ChildFailure:
    with pytest.raises(ChildFailure) as caught:
        run(program, seconds, limits, **settings)
    return caught.value


def ends(pid: int, seconds: float = 20.0) -> bool:
    """Whether a process ends in time; a zombie that its new parent does not reap has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def number_in(file: Path, seconds: float = 20.0) -> int:
    """The number that a process writes into a file, once it is there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if file.exists() and file.read_text().endswith("\n"):
            return int(file.read_text())
        time.sleep(0.02)
    raise TimeoutError(file)


def test_both_streams_of_a_program_come_back():
    printed = run("import sys; print('counted 7'); print('a remark', file=sys.stderr)")
    assert (printed.output, printed.errors) == (b"counted 7\n", b"a remark\n")


def test_lines_are_heard_while_the_program_runs():
    heard: list[tuple[str, float]] = []
    began = time.monotonic()
    run(
        """
        import time
        print("one", flush=True)
        time.sleep(1.5)
        print("two\\nthree", end="", flush=True)
        """,
        on_line=lambda line: heard.append((line, time.monotonic() - began)),
    )
    assert [line for line, _ in heard] == ["one", "two", "three"]
    assert heard[1][1] - heard[0][1] > 1.0


def test_an_error_while_listening_stops_the_program(tmp_path):
    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match=r"^\d+$") as caught:
        run("import os, time; print(os.getpid(), flush=True); time.sleep(600)", on_line=refuse)
    assert ends(int(str(caught.value)))


def test_a_bad_end_names_program_code_limits_and_last_words():
    error = failure(
        """
        import sys
        print("step 1")
        print("\\n".join(f"noise {i}" for i in range(100)), file=sys.stderr)
        print("no such pass: licmm", file=sys.stderr)
        sys.exit(3)
        """,
        limits=Limits(memory_bytes=512 * MIB),
    )
    assert Path(sys.executable).name in str(error) and "exit code 3" in str(error)
    assert "60 s, 512 MiB of memory" in str(error)
    assert str(error).endswith("noise 99 / no such pass: licmm") and "noise 1 " not in str(error)
    assert (error.code, error.limit, error.printed.output) == (3, None, b"step 1\n")


def test_what_a_crashing_program_said_before_is_kept():
    error = failure(
        "import os, signal; print('pass 1: 40', flush=True); signal.raise_signal(signal.SIGSEGV)",
    )
    assert "SIGSEGV" in str(error) and error.code == -signal.SIGSEGV
    assert error.printed.output == b"pass 1: 40\n" and str(error).endswith("pass 1: 40")


def test_a_failure_survives_the_way_to_another_process():
    error = pickle.loads(pickle.dumps(failure("print(1); raise SystemExit(3)")))
    assert (error.code, error.printed.output) == (3, b"1\n") and "exit code 3" in str(error)


def test_a_program_that_takes_too_long_is_stopped():
    began = time.monotonic()
    error = failure("import time; time.sleep(600)", seconds=1.0)
    assert error.limit == "seconds" and "took more than 1 s; raise the limit" in str(error)
    assert 1.0 <= time.monotonic() - began < 20


def test_a_program_that_closed_its_outputs_is_stopped_too():
    error = failure("import os, time; os.close(1); os.close(2); time.sleep(600)", seconds=1.0)
    assert error.limit == "seconds"


def test_a_program_that_ignores_sigterm_is_killed():
    error = failure(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            time.sleep(1)
        """,
        seconds=2.0,
        patience=0.3,
    )
    assert (error.limit, error.code) == ("seconds", -signal.SIGKILL)


def test_a_program_has_time_to_tidy_up():
    error = failure(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        while True:
            time.sleep(1)
        """,
        seconds=2.0,
        patience=20.0,
    )
    assert (error.limit, error.code) == ("seconds", 7)


def test_processor_time_is_limited():
    error = failure("while True: pass", limits=Limits(cpu_seconds=0.5))
    assert error.limit == "cpu_seconds" and "took more than 0.5 s of CPU time" in str(error)


def test_memory_is_limited():
    error = failure("x = bytearray(2**30)", limits=Limits(memory_bytes=256 * MIB))
    assert "MemoryError" in str(error) and "256 MiB of memory" in str(error)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_is_cut_off(stream):
    error = failure(
        f"""
        import sys
        while True:
            sys.{stream}.write("x" * 99 + "\\n")
        """,
        limits=Limits(output_bytes=MIB),
    )
    assert error.limit == "output_bytes" and "wrote more than 1 MiB" in str(error)
    assert len(error.printed.output) < 2 * MIB


def test_a_flood_of_errors_costs_neither_memory_nor_the_answer():
    printed = run("import sys; sys.stderr.write('x' * 5_000_000 + 'end'); print('answer')")
    assert printed.output == b"answer\n"
    assert len(printed.errors) < MIB and printed.errors.endswith(b"xend")


def test_the_files_of_a_program_are_limited(tmp_path):
    error = failure(
        """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        open("answer", "wb").write(bytes(2_000_000))
        """,
        limits=Limits(output_bytes=MIB),
        folder=tmp_path,
    )
    assert error.limit == "output_bytes"
    assert (tmp_path / "answer").stat().st_size <= MIB


def test_no_core_file_is_written():
    assert run("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))").output == b"(0, 0)\n"


@pytest.mark.parametrize("limit", ["cpu_seconds", "memory_bytes", "output_bytes"])
def test_a_limit_must_be_positive(limit):
    with pytest.raises(ConfigError, match=f"{limit} is 0"):
        Limits(**{limit: 0})


def test_a_missing_program_is_named_with_the_remedy(tmp_path):
    with pytest.raises(MissingDependency, match=r"no-such-compiler .*PATH.*apt install it"):
        child.run(["no-such-compiler"], seconds=1, limits=Limits(), remedy="apt install it")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(MissingDependency, match=r"text.*install it, or give its path"):
        child.run([tmp_path / "text"], seconds=1, limits=Limits())


def test_a_program_of_another_machine_is_a_clear_failure(tmp_path):
    (tmp_path / "foreign").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "foreign").chmod(0o755)
    with pytest.raises(ChildFailure, match=r"foreign .*exit code 127.*could not be started: .*format"):
        child.run([tmp_path / "foreign"], seconds=60, limits=Limits())


def test_a_missing_folder_is_a_clear_failure(tmp_path):
    with pytest.raises(ChildFailure, match="nowhere"):
        run("pass", folder=tmp_path / "nowhere")


def test_a_program_sees_only_the_environment_it_is_given(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "secret")
    seen = run("import os; print(sorted(os.environ))", environment=child.bare_environment(WANTED="1")).output
    assert b"'WANTED'" in seen and b"'PATH'" in seen and b"'OMP_NUM_THREADS'" in seen and b"SOME_API_KEY" not in seen
    assert b"SOME_API_KEY" not in run("import os; print(sorted(os.environ))").output


def test_what_a_program_leaves_running_ends_with_it(tmp_path):
    left = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    began = time.monotonic()
    pid = int(run(left).output)  # the orphan holds the outputs open
    assert ends(pid) and time.monotonic() - began < 30


def test_what_a_program_started_ends_when_its_time_is_up():
    error = failure(
        """
        import subprocess, sys, time
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
        time.sleep(600)
        """,
        seconds=2.0,
    )
    assert ends(int(error.printed.output))


PARENT = """
import signal, sys, time
from runs import child
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
pid_file = sys.argv[2]
tell = f'''
import os, time
open("{pid_file}", "w").write(str(os.getpid()) + chr(10))
time.sleep(600)
'''
def work():
    exec(tell)
if sys.argv[1] == "run":
    child.run([sys.executable, "-c", tell], seconds=600, limits=child.Limits())
else:
    with child.forked(work, {}) as copy:
        copy.wait()
"""


@pytest.mark.parametrize("kind", ["run", "forked"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_child_dies_with_its_parent(kind, number, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, kind, str(tmp_path / "pid")], stderr=subprocess.DEVNULL)
    try:
        pid = number_in(tmp_path / "pid")
        assert psutil.pid_exists(pid)
        parent.send_signal(number)
        assert ends(pid)
        assert parent.wait(20) != 0
    finally:
        parent.kill()
        parent.wait()


def test_a_parent_that_died_before_the_child_looked_takes_it_along():
    program = "from runs import child_start; child_start.die_with(1 << 22); print('it lives')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_where_the_kernel_does_not_tell_a_thread_looks_for_the_parent(tmp_path):
    worker = f"""
import os, pathlib, signal, time
from runs import child_start
def end(number, frame):
    pathlib.Path({str(tmp_path / "told")!r}).touch()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
for _ in range(2):
    child_start.watch_parent(os.getpid(), os.getppid(), signal.SIGTERM)
pathlib.Path({str(tmp_path / "up")!r}).touch()
time.sleep(60)
"""
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {worker!r}]).wait()"
    process = subprocess.Popen([sys.executable, "-c", parent])
    until = time.monotonic() + 30
    for name, then in (("up", process.kill), ("told", process.wait)):
        while not (tmp_path / name).exists():
            assert time.monotonic() < until, name
            time.sleep(0.01)
        then()


def test_a_signal_stops_the_program_and_then_us(tmp_path):
    def press(line: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        with pytest.raises(interrupt.Interrupted, match="SIGTERM"):
            run("import os, time; print(os.getpid(), flush=True); time.sleep(600)", on_line=press)
    finally:
        interrupt.clear()


def echo(connection) -> None:
    while (message := connection.recv()) != "crash":
        connection.send((message, os.getpid(), "secret" in os.environ.values()))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_function_in_a_fresh_interpreter_answers_until_it_dies(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with child.serving(echo, limits=Limits(memory_bytes=2048 * MIB)) as (server, connection):
        connection.send("hello")
        assert connection.recv() == ("hello", server.pid, False)
        connection.send("crash")
        with pytest.raises(EOFError):
            connection.recv()
        assert server.wait() == -signal.SIGKILL
    with child.serving(echo, limits=Limits()) as (server, connection):
        pass
    assert server.wait() == -signal.SIGKILL


def test_a_child_may_use_some_time_for_each_task() -> None:
    """The first needs none of its time; the second never ends."""
    ended = failure(
        f"""
        import sys
        sys.path.append({str(Path(child.__file__).parents[1])!r})
        from runs import child_start
        child_start.allow(100)
        print("first", flush=True)
        child_start.allow(0.01)
        while True:
            pass
        """
    )
    assert (ended.limit, ended.printed.output) == ("cpu_seconds", b"first\n")


def test_a_child_that_another_gives_time_ends_when_that_is_spent() -> None:
    """It had been given more before."""
    with child.started(python("while True: pass"), limits=Limits()) as busy:
        busy.allow(100)
        busy.allow(0.1)
        assert busy.wait(30) == -signal.SIGXCPU
    busy.allow(1)  # it is gone


@pytest.mark.parametrize(("end", "code"), [("-11", -signal.SIGSEGV), ("-9", -signal.SIGKILL), ("3", 3)])
def test_a_process_ends_as_another_has_ended(end: str, code: int) -> None:
    ending = f"import sys; sys.path.append({str(Path(child.__file__).parents[1])!r}); from runs import child_start"
    with child.started(python(f"{ending}; child_start.end_as({end})"), limits=Limits()) as ended:
        assert ended.wait(30) == code


def test_a_service_runs_beside_us_and_ends_with_the_block(tmp_path):
    with (
        open(tmp_path / "log", "wb") as log,
        child.started(
            python("import time; print('up', flush=True); time.sleep(600)"), limits=Limits(), stdout=log
        ) as service,
    ):
        until = time.monotonic() + 20
        while not (tmp_path / "log").read_bytes() and time.monotonic() < until:
            time.sleep(0.05)
        assert service.wait(0) is None
    assert (tmp_path / "log").read_bytes() == b"up\n"
    assert service.wait(0) == -signal.SIGKILL


def test_a_copy_of_this_process_shares_what_is_loaded_and_gives_its_exit_code():
    loaded = object()

    def work() -> None:
        assert loaded is not None
        raise SystemExit(5)

    with child.forked(work, {}) as copy:
        assert copy.wait() == 5
    with child.forked(lambda: None, {}) as copy:
        assert copy.wait(20) == 0


def test_signals_reach_the_copy_and_are_told_apart(tmp_path):
    def work() -> None:
        (tmp_path / "pid").write_text(f"{os.getpid()}\n")
        time.sleep(600)

    before = signal.getsignal(signal.SIGUSR1)
    leave = {signal.SIGUSR1: lambda number, frame: os._exit(9)}
    with child.forked(work, leave) as copy:
        assert number_in(tmp_path / "pid") == copy.pid
        os.kill(os.getpid(), signal.SIGUSR1)
        assert copy.wait(20) == 9
    assert copy.asked == [signal.SIGUSR1]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_no_signal_is_lost_while_the_copy_is_made(monkeypatch):
    start = child.multiprocessing.get_context("fork").Process.start

    def interrupted(self) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        start(self)

    monkeypatch.setattr(child.multiprocessing.get_context("fork").Process, "start", interrupted)
    with child.forked(lambda: time.sleep(600), {signal.SIGUSR1: lambda number, frame: os._exit(9)}) as copy:
        assert copy.wait(20) == 9
    assert copy.asked == [signal.SIGUSR1]


def test_what_a_copy_started_ends_with_it(tmp_path):
    def work() -> None:
        if pid := os.fork():
            (tmp_path / "pid").write_text(f"{pid}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)

    with child.forked(work, {}) as copy:
        assert copy.wait(20) == -signal.SIGKILL
        pid = number_in(tmp_path / "pid")
        assert psutil.pid_exists(pid)
        copy.end(patience=5.0)
        assert ends(pid, 0.5)


@pytest.mark.parametrize(
    ("code", "said"), [(3, "exit code 3"), (-11, "SIGSEGV"), (-9, "SIGKILL: by hand, or because"), (-63, "signal 63")]
)
def test_ends_are_named(code, said):
    assert child.cause(code).startswith(said)
