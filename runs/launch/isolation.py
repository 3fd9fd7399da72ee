"""Each run of a sweep in a child process of its own: what kills a run leaves the launcher and the other runs alone.

Hydra's launchers react to a dying worker in five ways, and most of them take runs along that did nothing wrong. Here the
worker survives, so it can put on record what killed the run, and pass on what the scheduler asks for.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from runs import child, child_start, interrupt
from runs.files import read_record
from runs.interrupt import Interrupted
from runs.launch.config_folder import NOT_COMPOSED
from runs.launch.jobs import Ledger
from runs.names import task_overrides
from runs.record.run_record import changes, finished_whole, record_failure, score_of
from runs.secret import kept_out_of_logs

REQUEUE_PATIENCE_SECONDS = 15.0
"""After a warning of preemption the run may take so long to save, before it is killed and goes on from its last save."""
SCHEDULER_PATIENCE_SECONDS = 600.0

Work = Callable[[Any], float | None]
"""What one run does."""


@dataclass(frozen=True)
class Isolated:
    """``work`` as a Hydra task function that runs in a forked child.

    SIGINT and SIGTERM stop the child cleanly, then this process as they would have done. SIGUSR2 is submitit's warning of
    a preemption or a time limit: the run saves and ends, and submitit puts it back into the queue.

    Parameters
    ----------
    launcher
        Process number of the launcher. A worker that is its child gets SIGTERM when it dies; joblib's would wait for jobs of
        nobody.
    """

    work: Work
    ledger: Ledger
    launcher: int

    def __call__(self, cfg: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        if os.getppid() == self.launcher:
            child_start.die_with(self.launcher, signal.SIGTERM)
        kept_out_of_logs()
        hydra = HydraConfig.get()
        folder, overrides = Path(hydra.runtime.output_dir), task_overrides(hydra)
        self.ledger.note(overrides, folder)
        if wrong := cfg.get(NOT_COMPOSED):
            record_failure(folder, "ConfigError", wrong, overrides)
            _fail_for_the_scheduler()
            return None
        wanted = cfg.get("score")
        if not cfg.force and finished_whole(folder) and not changes(folder, cfg):
            return score_of(read_record(folder / "metrics.json"), wanted)
        _load_libraries(cfg)
        asked, code = _run(self.work, cfg)
        found = read_record(folder / "metrics.json")
        if asked:
            _pass_on(asked, bool(found), folder, overrides)
        elif not found and (code < 0 or (code > 0 and not (folder / "failure.json").exists())):
            record_failure(folder, "Killed", _cause(code), overrides)
        if not found:
            _fail_for_the_scheduler()
        return score_of(found, wanted)


def _fail_for_the_scheduler() -> None:
    """Let this job of submitit end with 1 when it has handed over its answer, so that ``sacct`` shows it as failed.

    An exception instead would be raised in the launcher, too, which would wait for no other job.
    """
    if "SUBMITIT_EXECUTOR" in os.environ:
        atexit.register(_end_as_failed)


def _end_as_failed() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)


def _load_libraries(cfg: Any) -> None:
    """Import what every run needs, so that the children of one worker share it; this starts no thread."""
    from runs.environment import limit_threads

    limit_threads(cfg.hardware.threads)
    with contextlib.suppress(ImportError):  # the run itself will say so
        import pytorch_lightning  # noqa: F401


def _run(work: Work, cfg: Any) -> tuple[list[int], int]:
    """Work in a copy of this process; returns the signals that were passed on and the copy's exit code."""
    signals: dict[int, child.Handler] = {signal.SIGINT: interrupt.stop, signal.SIGTERM: interrupt.stop}
    if callable(signal.getsignal(signal.SIGUSR2)):
        signals[signal.SIGUSR2] = _leave
    with child.forked(partial(_work, work, cfg), signals) as run:
        deadline = float("inf")
        while (code := run.wait(0.5)) is None:
            if signal.SIGUSR2 in run.asked:
                deadline = min(deadline, time.monotonic() + REQUEUE_PATIENCE_SECONDS)
            if time.monotonic() > deadline:
                run.send(signal.SIGKILL)
    return run.asked, code


def _work(work: Work, cfg: Any) -> None:
    """In the copy."""
    signal.signal(signal.SIGUSR2, _leave)
    try:
        work(cfg)
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
    return f"killed by {child.cause(code)}" if code < 0 else f"the process ended with {child.cause(code)}, no result"
