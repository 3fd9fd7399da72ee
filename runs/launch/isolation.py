"""Each run of a sweep in a child process of its own: what kills a run leaves the launcher and the other runs alone.

Hydra's launchers react to a dying worker in five ways, and most of them take runs along that did nothing wrong. Here the
worker survives, so it can put on record what killed the run, and pass on what the scheduler asks for.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from runs.files import read_json
from runs.interrupt import Interrupted
from runs.record.run_record import finished_whole, record_failure

REQUEUE_PATIENCE_SECONDS = 15.0
"""After a warning of preemption the run may take so long to save, before it is killed and goes on from its last save."""
SCHEDULER_PATIENCE_SECONDS = 600.0

Job = Callable[[Any], float | None]


@dataclass(frozen=True)
class Isolated:
    """``job`` as a Hydra task function that runs in a forked child.

    SIGINT and SIGTERM stop the child cleanly, then this process as they would have done. SIGUSR2 is submitit's warning of
    a preemption or a time limit: the run saves and ends, and submitit puts it back into the queue.
    """

    job: Job

    def __call__(self, cfg: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        folder = Path(hydra.runtime.output_dir)
        metrics = read_json(folder / "metrics.json")
        if not cfg.force and metrics is not None and finished_whole(folder):
            return metrics.get("score")
        _load_libraries(cfg)
        asked, code = _run(self.job, cfg)
        metrics = read_json(folder / "metrics.json")
        if asked:
            _pass_on(asked, metrics is not None, folder, list(hydra.overrides.task))
        elif metrics is None and (code < 0 or (code > 0 and not (folder / "failure.json").exists())):
            record_failure(folder, "Killed", _cause(code), list(hydra.overrides.task))
        return (metrics or {}).get("score")


def _load_libraries(cfg: Any) -> None:
    """Import what every run needs, so that the children of one worker share it; this starts no thread."""
    from runs.environment import limit_threads

    limit_threads(cfg.hardware.threads)
    with contextlib.suppress(ImportError):  # the run itself will say so
        import pytorch_lightning  # noqa: F401


def _run(job: Job, cfg: Any) -> tuple[list[int], int]:
    """Run the job in a child and pass on signals; returns the signals that came and the child's exit code."""
    asked: list[int] = []
    child = multiprocessing.get_context("fork").Process(target=_work, args=(job, cfg, os.getpid()))

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if child.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if callable(signal.getsignal(signal.SIGUSR2)):
        numbers.append(signal.SIGUSR2)
    previous = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        child.start()
        for number in list(asked):  # came before there was a child
            pass_on(number, None)
        _await(child, asked)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return asked, child.exitcode or 0


def _await(child: BaseProcess, asked: list[int]) -> None:
    deadline = float("inf")
    while not wait([child.sentinel], timeout=0.5):
        if signal.SIGUSR2 in asked:
            deadline = min(deadline, time.monotonic() + REQUEUE_PATIENCE_SECONDS)
        if time.monotonic() > deadline:
            child.kill()
    child.join()


def _work(job: Job, cfg: Any, parent: int) -> None:
    """In the child: a process group of its own, so a signal to the launcher's group arrives once, passed on."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR2, _leave)
    with contextlib.suppress(OSError, AttributeError):  # Linux: die with the parent
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    try:
        job(cfg)
    except Interrupted as stop:
        raise SystemExit(128 + stop.signal_number) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # schedulers send it to every process, and the parent passes it on
    raise Interrupted(number)


def _pass_on(asked: list[int], finished: bool, folder: Path, overrides: list[str]) -> None:
    """Do with this process what the signals would have done, now that the run is safe."""
    if signal.SIGUSR2 in asked:
        handler = signal.getsignal(signal.SIGUSR2)
        if not finished and callable(handler):
            try:
                handler(signal.SIGUSR2, None)  # requeues and raises SystemExit
            except Exception as error:
                record_failure(folder, type(error).__name__, str(error), overrides)
    elif os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        if not finished:  # SLURM's SIGTERM announces the SIGKILL of a preemption, a requeue or a cancellation
            time.sleep(SCHEDULER_PATIENCE_SECONDS)
    else:
        os.kill(os.getpid(), asked[-1])


def _cause(code: int) -> str:
    if code > 0:
        return f"the process ended with code {code} without a result"
    number = -code
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return f"killed by {name}: by hand, or because the memory ran out"
    return f"killed by {name}"
