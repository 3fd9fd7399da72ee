"""The run record: a folder that tells the truth about one run, whatever died meanwhile.

``metrics.json`` is written last, so a folder that has it is finished; ``failure.json`` means failed; a folder with neither
is running while a living process holds its lock, and was killed otherwise. The status is derived, never written.
"""

from __future__ import annotations

import glob
import logging
import math
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from runs import child, environment, inputs, secret
from runs.errors import ConfigError, RepriseError, SolverFailure
from runs.files import atomic_write, read_record, safe_yaml, write_json
from runs.interrupt import Interrupted
from runs.loggers.local import RunInfo
from runs.names import NOT_PART_OF_A_RUN, task_overrides
from runs.record.instances import InstanceResult, load_all, means, not_averaged, without_value, write_tables
from runs.record.left_out import warn
from runs.record.seal import damage, sealed

if TYPE_CHECKING:
    from runs.loggers.log import RunLog

_LOG = logging.getLogger(__name__)

RANKS_PATIENCE_SECONDS = 15.0
"""What ranks may take to save when the run is asked to stop."""

LAUNCH_VARIABLE = "REPRISE_LAUNCH"
"""Set by a sweep for its jobs: one value per launch of the sweep."""

SUPERSEDED = "superseded"
"""Beside run folders: what they held before something they depend on changed."""

_NO_NUMBERS = "not finite"


class RunStatus(StrEnum):
    FINISHED = "finished"
    FAILED = "failed"
    RUNNING = "running"
    KILLED = "killed"


def status(folder: Path | str) -> RunStatus:
    """Derive the status of a run folder from its files and its lock."""
    folder = Path(folder)
    if read_record(folder / "metrics.json"):
        return RunStatus.FINISHED
    if _is_owned(folder):
        return RunStatus.RUNNING
    return RunStatus.FAILED if read_record(folder / "failure.json") else RunStatus.KILLED


def finished_whole(folder: Path) -> bool:
    """True if the run is finished, all that it wrote is as it was, and no instance is without a result.

    Otherwise a new start works on what is missing.
    """
    found = read_record(folder / "metrics.json")
    return bool(found) and not damage(folder, found) and not found.get("instance_errors")


def score_of(record: Mapping[str, Any], wanted: str | None) -> float | None:
    """The metric ``wanted`` of a finished run whose ``metrics.json`` holds ``record``; None where either is absent.

    Raises
    ------
    ConfigError
        The run has no such number: says why, or what it has.
    """
    if not record or wanted is None:
        return None
    metrics, apart = record.get("metrics") or {}, record.get("not_averaged") or {}
    if without := (record.get("without_value") or {}).get(wanted, 0) + len(record.get("instance_errors") or {}):
        raise ConfigError(
            f"score={wanted}: {without} instances have no value, and the mean of the others would reward a run that solves "
            "less. The run is kept"
        )
    if wanted in metrics:
        return metrics[wanted]
    reason = apart.get(wanted) or f"this run measures no such metric, only {', '.join(sorted(metrics))}"
    raise ConfigError(f"score={wanted}: {reason}. The run is kept; the same command with another score finds it")


def changes(folder: Path, cfg: DictConfig) -> list[str]:
    """What a run depends on and is no longer as it was when its folder was begun, in words.

    Files count by content. A setting may differ although the folder goes by the settings: a variable of the environment has
    changed, or the folder was named by hand.
    """
    try:
        before = safe_yaml((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    if not isinstance(before, dict):
        return []
    before = {key: value for key, value in before.items() if key not in NOT_PART_OF_A_RUN}
    here = _settings(cfg)
    was, now = dict(inputs.leaves(before)), dict(inputs.leaves(here))
    places = {key for key, text in inputs.leaves(OmegaConf.to_container(cfg)) if _names_a_place(text)}
    places |= inputs.named(before).keys() | inputs.named(here).keys()
    differ = [
        f"{key} was {was.get(key)!r} and is {now.get(key)!r}"
        for key in sorted((was.keys() | now.keys()) - places)
        if repr(was.get(key)) != repr(now.get(key))
    ]
    return [*inputs.changed([folder], inputs.named(here)).get(folder, []), *differ[:3]]


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """What a run is, plain and resolved."""
    return {key: value for key, value in secret.plain(cfg).items() if key not in NOT_PART_OF_A_RUN}


def _names_a_place(text: Any) -> bool:
    """True for settings that say where things lie: what was read there is compared by content."""
    return isinstance(text, str) and ("${paths." in text or "${json_of:" in text)


def _is_owned(folder: Path) -> bool:
    """True if a living process holds the folder's lock; a folder that cannot be probed counts as not owned."""
    path = folder / "owner.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, blocking=False, is_singleton=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def set_aside(folder: Path) -> Path:
    """Move what a run's folder holds beside it, where no report looks; returns where it lies."""
    aside = folder.parent / SUPERSEDED
    number = 1 + sum(1 for _ in aside.glob(f"{glob.escape(folder.name)}-*"))
    target = aside / f"{folder.name}-{number}"
    target.mkdir(parents=True)
    for path in _content(folder):
        shutil.move(path, target / path.name)
    return target


def _content(folder: Path) -> list[Path]:
    """What belongs to one life of a folder; ``metrics.json`` first, so that it is never finished and half gone."""
    found = [path for path in folder.iterdir() if path.name not in ("owner.lock", "log.log")]
    return sorted(found, key=lambda path: path.name != "metrics.json")


class RunRecord:
    """Context of one run: takes the folder, records a failure, and frees the folder again.

    Two processes that were given the same run do it once: the second waits for the first and then finds it finished.

    Parameters
    ----------
    folder
        The run's folder, named by its configuration.
    cfg
        The composed configuration, without Hydra's own node.
    overrides
        The command-line overrides of this run, for the command that reproduces it.
    in_sweep
        A failure is recorded and swallowed, so that the other jobs of the sweep go on.
    """

    def __init__(self, folder: Path, cfg: DictConfig, overrides: list[str], in_sweep: bool = False) -> None:
        self.folder = folder
        self.cfg = cfg
        self.overrides = overrides
        self.in_sweep = in_sweep
        self.is_main = environment.rank(cfg.get("hardware")) == 0
        self._lock = FileLock(folder / "owner.lock", is_singleton=False)
        self._began = time.monotonic()
        self._ended = False
        self._revision = "unknown"

    @classmethod
    def of(cls, cfg: DictConfig) -> RunRecord:
        """The record of the Hydra job that is running now."""
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        return cls(
            Path(hydra.runtime.output_dir),
            cfg,
            task_overrides(hydra),
            in_sweep=str(hydra.mode).endswith("MULTIRUN"),
        )

    @property
    def ended(self) -> bool:
        """True if there is nothing left to do: the run is finished, or it failed or died in this launch of a sweep."""
        return self._ended

    @property
    def score(self) -> float | None:
        """The one number a sweeper optimises, see :func:`score_of`."""
        return score_of(read_record(self.folder / "metrics.json"), self.cfg.get("score"))

    @property
    def last_checkpoint(self) -> Path | None:
        """Where this run left its training when it was killed, if it did."""
        from runs.record.training_checkpoint import recovered_last

        return recovered_last(self.folder)

    def __enter__(self) -> RunRecord:
        if not self.is_main:
            self._ended = finished_whole(self.folder) and not self.cfg.force and not changes(self.folder, self.cfg)
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not self.is_main:
            return False
        try:
            if error is None:
                return False
            stopped_by = _lightning_stop(error)
            if stopped_by or isinstance(error, (Interrupted, KeyboardInterrupt)):
                child.end_workers(RANKS_PATIENCE_SECONDS)
                if stopped_by:
                    raise Interrupted(stopped_by) from error
                return False
            self._record_failure(error)
            return self.in_sweep and isinstance(error, (Exception, SystemExit))
        finally:
            self._lock.release()

    def open_log(self) -> RunLog:
        """What the run reports to while it goes: its own folder, and the dashboards of ``logger=...``."""
        from runs.loggers.log import build

        plain = secret.plain(self.cfg)
        shared = self.folder.parent.name if self.in_sweep else self.folder.name
        run = RunInfo(self.folder, {str(k): v for k, v in plain.items()}, shared, self.folder.name, self._revision)
        return build(self.cfg.logger, run)

    def finish(self, measured: Sequence[Mapping[str, float]], log: RunLog) -> None:
        """Write the tables and then ``metrics.json``, last of all files: from now on the run is finished.

        Dashboards get what the task drew into ``figures/``, too.

        ``measured`` is what ``Trainer.test`` returns: the run's own metrics, by test set. Those of the instances are read
        from their files.

        Raises
        ------
        SolverFailure
            There are metrics, and none of them is a finite number, or the one that ``score`` names is not.
        """
        if not self.is_main:
            return
        metrics = {key: float(value) for of_set in measured for key, value in of_set.items()}
        results = load_all(self.folder)
        metrics |= means(results)  # the same numbers in double precision, and those that only some methods have
        self._warn_of_no_numbers(metrics)
        results = results or [InstanceResult(index=0, name="all", metrics=metrics)]
        columns = {key: self.cfg[key] for key in ("paper", "experiment", "method", "seed")}
        write_tables(self.folder, results, columns, log)
        for figure in sorted((self.folder / "figures").glob("*.png")):
            log.log_figure(figure.stem, figure)
        log.log_scalars(metrics)
        wanted = self.cfg.get("score")
        if wanted in metrics and not math.isfinite(metrics[wanted]):
            raise SolverFailure(f"score={wanted}: it is {metrics[wanted]}, which is no score")
        found = {
            "metrics": metrics,
            "not_averaged": not_averaged(results),
            "without_value": without_value(results),
            "score": metrics.get(wanted),
            "wall_seconds": time.monotonic() - self._began,
            "peak_memory_gib": environment.peak_memory_gib(),
            "instance_errors": {result.label: result.error for result in results if result.error},
        }
        write_json(self.folder / "metrics.json", sealed(self.folder, found))

    def _warn_of_no_numbers(self, metrics: Mapping[str, float]) -> None:
        """Some metrics may be undefined (a correlation of constants), and the report says which; of all it is a failure."""
        undefined = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if undefined and len(undefined) == len(metrics):
            raise SolverFailure(f"nothing that was measured is a finite number: {', '.join(undefined)}")
        message = f"{_NO_NUMBERS}: {', '.join(undefined)}" if undefined else None
        warn(self.folder, _NO_NUMBERS, message)

    def _begin(self) -> None:
        if self.cfg.force and not self._begun_by_this_launch():
            self._discard()
        elif found := changes(self.folder, self.cfg):
            _LOG.warning("%s", "; ".join([*found, f"what was there is kept in {set_aside(self.folder)}"]))
        finished = finished_whole(self.folder)
        if (before := read_record(self.folder / "metrics.json")) and (wrong := damage(self.folder, before)):
            _LOG.warning("%s: what is missing is done again", wrong)
        self._ended = finished or (self._begun_by_this_launch() and not self._requeued())
        self._say_other_code()
        if not self._ended:
            (self.folder / "metrics.json").unlink(missing_ok=True)
            self._open()

    def _open(self) -> None:
        """Say what is going to run; keep what the run left when it was killed, drop the failure it may have recorded."""
        (self.folder / "failure.json").unlink(missing_ok=True)
        for path in self.folder.rglob(".*.part"):  # of writers that were killed; nobody else writes here now
            path.unlink(missing_ok=True)
        atomic_write(self.folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(secret.plain(self.cfg))).encode())
        inputs.record(self.folder, _settings(self.cfg), self.cfg.get("paths") or {})
        command = [Path(sys.argv[0]).name, *sys.argv[1:]]
        about = environment.describe(*secret.without_secrets((command, self.overrides)))
        about["config_dir"] = environment.config_dir()
        about["launch"] = os.environ.get(LAUNCH_VARIABLE)
        about["scheduler_job"] = _scheduler_job()
        before = self._about()
        starts = before.get("starts") or before.get("lives")  # its name in folders of older versions
        about["starts"] = 1 + (starts if isinstance(starts, int) else 0)
        write_json(self.folder / "environment.json", about)
        self._revision = about["revision"]

    def _begun_by_this_launch(self) -> bool:
        """True if this launch of a sweep began the run before: a worker's death makes the sweep start over, not the run."""
        launch = os.environ.get(LAUNCH_VARIABLE)
        return launch is not None and self._about().get("launch") == launch

    def _requeued(self) -> bool:
        """True if the scheduler gave this run back to the same job after a preemption or a time limit."""
        job = _scheduler_job()
        return job is not None and self._about().get("scheduler_job") == job

    def _about(self) -> dict[str, Any]:
        return read_record(self.folder / "environment.json")

    def _say_other_code(self) -> None:
        before = self._about().get("code")
        if before is not None and before != environment.code() and not self._begun_by_this_launch():
            done = "finished" if self._ended else "begun"
            _LOG.warning(
                "this run was %s with other code (revision %s, here %s); force=true does it anew",
                *(done, self._about().get("revision"), environment.revision()),
            )

    def _discard(self) -> None:
        for path in _content(self.folder):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _record_failure(self, error: BaseException) -> None:
        record_failure(
            self.folder,
            type(error).__name__,
            str(error) or repr(error),
            self.overrides,
            expected=isinstance(error, RepriseError),
            traceback="".join(traceback.format_exception(error)),
        )


def record_failure(
    folder: Path, kind: str, message: str, overrides: list[str], *, expected: bool = True, traceback: str = ""
) -> None:
    """Write ``failure.json``: what ended the run, in one line, and the traceback unless a user can cause it."""
    about = {"type": kind, "message": message, "expected": expected, "traceback": traceback, "overrides": overrides}
    write_json(folder / "failure.json", secret.without_secrets(about))


def _scheduler_job() -> str | None:
    """The job of the scheduler that this process is, which stays the same when the job is requeued."""
    executor = os.environ.get("SUBMITIT_EXECUTOR")
    return os.environ.get({"slurm": "SLURM_JOB_ID", "local": "SUBMITIT_LOCAL_JOB_ID"}.get(executor or "", ""))


def _lightning_stop(error: BaseException) -> signal.Signals | None:
    """The signal behind a SystemExit with which Lightning's loops end: its SIGTERMException, or exit after Ctrl-C."""
    if type(error).__name__ == "SIGTERMException":
        return signal.SIGTERM
    stopped = isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt)
    return signal.SIGINT if stopped else None
