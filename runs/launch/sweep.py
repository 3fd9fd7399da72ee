"""A sweep that survives its jobs: Hydra's launcher runs in a child process, and the parent supervises it.

The parent stays light (no torch, no threads), shows progress from the run records, starts the launcher again for the
jobs that a dying worker took down with it, and always ends with the report and an exit code that tells the truth.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from runs import child, environment, inputs
from runs.environment import COMMAND, config_dir
from runs.errors import ConfigError, require
from runs.files import read_record, write_json
from runs.launch.config_folder import NOT_COMPOSED, ConfigLoader, swept_experiments
from runs.launch.jobs import Job, Ledger, begun, configuration, is_complete, meaning
from runs.launch.launcher import launch_jobs
from runs.launch.mistakes import clear_mistakes
from runs.launch.progress import Display
from runs.launch.reporting import show_as
from runs.launch.slurm import how_to_cancel
from runs.names import is_hydras, jobs_at_once, sweep_name
from runs.record.run_record import LAUNCH_VARIABLE, SUPERSEDED, RunStatus, finished_whole, set_aside, status
from runs.secret import without_secrets
from runs.text import one_line, printable

GRACE_SECONDS = 60.0
WORKERS_PATIENCE_SECONDS = 10.0
"""What is left of a dead launcher's workers may take so long to stop cleanly; their runs go on when started again."""
USAGE_ERRORS = ("ConfigError", "InvalidProblem", "MissingDependency")
"""What only another command or another file can mend."""
_PLUGINS = {
    "hydra/launcher": {
        "ray": ("ray", "cluster"),
        "submitit_local": ("submitit", "cluster"),
        "submitit_slurm": ("submitit", "cluster"),
    },
    "hydra/sweeper": {"optuna": ("optuna", "sweep")},
}


def run_sweep(application: Any, job: Callable[[Any], float | None], cfg: DictConfig, overrides: list[str]) -> int:
    """Run every job of the sweep that ``cfg`` describes, then report; returns the exit code.

    Raises
    ------
    ConfigError
        The sweep has no jobs (an empty glob, say).
    """
    _refuse_what_cannot_be_swept(cfg, overrides)
    several = swept_experiments(application.config_loader, overrides)
    folder = Path(cfg.paths.outputs).expanduser().absolute()
    folder = folder / ("own" if several else cfg.paper) / sweep_name(cfg, several)
    jobs = grid(application, cfg, overrides)
    if jobs is not None and not jobs:
        raise ConfigError("this sweep has no jobs: a glob(*) that matches nothing, or an empty list of values")
    alone = one_data_set(cfg, jobs or [])
    if alone:
        print(
            f"data.path replaces every data set of this sweep; each job runs once, as with {alone[0]}", file=sys.stderr
        )
        jobs = [job for job in jobs or [] if alone[0] in job]
    _check_jobs(application.config_loader, cfg, jobs or [])
    own = ["--config-dir", str(config_dir())] if config_dir() else []
    shown = OmegaConf.to_container(cfg.report, resolve=True)
    about = {
        "paper": "own" if several else cfg.paper,
        "experiment": "own/own" if several else f"{cfg.paper}/{cfg.experiment}",
        "command": without_secrets(
            [*COMMAND, *own, "-m", *[text for text in overrides if text != "hydra.mode=MULTIRUN"]]
        ),
        "jobs": len(jobs) if jobs is not None else None,
        "configuration": configuration(application, jobs, shown),
    }
    ledger = Ledger(folder, meaning(application, jobs))
    if not cfg.force and is_complete(ledger, about, jobs):
        print((folder / "summary.txt").read_text(), end="")
        say_other_code(folder)
        return 0
    _say_what_changed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "sweep.json", about)
    os.environ[LAUNCH_VARIABLE] = f"{os.getpid()}-{time.time_ns()}"
    began = time.time()
    todo = jobs if cfg.force or jobs is None else ledger.to_launch(jobs)
    for one in todo or []:
        ledger.forget(one)
    for nothing in folder.glob(f"{NOT_COMPOSED}-*"):
        shutil.rmtree(nothing)
    stay = _finished_before(folder, ledger, jobs, todo) if not cfg.force else []
    code = 0
    with Display(folder, len(jobs) if jobs is not None else None, stay) as display:
        while todo is None or todo:
            launch = partial(launch_jobs, application, job, ledger, overrides, _batches(cfg, todo))
            code = _supervise(launch, display)
            if code < 0 and -code in (signal.SIGINT, signal.SIGTERM):
                print(f"stopped by {signal.Signals(-code).name}; the same command goes on from here", file=sys.stderr)
                if _launcher(cfg) == "submitit_slurm":
                    print(how_to_cancel(folder, began, str(cfg.hydra.launcher.name)), file=sys.stderr)
                return 128 - code
            _await_survivors(folder, display)
            left = [one for one in todo or [] if ledger.run_of(one) is None]
            if len(left) == len(todo or []):
                break
            todo = left
    _set_strangers_aside(folder, ledger, jobs or [])
    if not several:
        for run in begun(folder):
            show_as(run, shown)
    code = _conclude(folder, [one for one in jobs or [] if ledger.run_of(one) is None], code, began)
    write_json(folder / "sweep.json", about | {"complete": code == 0})
    return code


def _finished_before(folder: Path, ledger: Ledger, jobs: list[Job] | None, todo: list[Job] | None) -> list[Path]:
    """The runs of this sweep that are not launched again."""
    if jobs is None or todo is None:
        return [run for run in begun(folder) if finished_whole(run)]
    again = set(map(tuple, todo))
    return [run for job in jobs if tuple(job) not in again and (run := ledger.run_of(job))]


def _set_strangers_aside(folder: Path, ledger: Ledger, jobs: list[Job]) -> None:
    """Runs that are of no job any more would stand in the report beside those that replace them: their settings were edited.

    Which these are is known once every job has its run.
    """
    mine = {ledger.run_of(job) for job in jobs}
    if not mine or None in mine:
        return
    strangers = [run for run in begun(folder) if run not in mine and status(run) != RunStatus.RUNNING]
    for run in strangers:
        set_aside(run)
    if strangers:
        names = ", ".join(run.name for run in strangers[:3]) + (" and others" if len(strangers) > 3 else "")
        print(
            f"{len(strangers)} runs are of no job of this sweep any more ({names}): kept in {folder / SUPERSEDED}",
            file=sys.stderr,
        )


def say_other_code(folder: Path) -> None:
    """One line if runs of a finished sweep were made by code that is no longer what is here."""
    made_by = [(read_record(run / "environment.json")).get("code") for run in begun(folder)]
    if others := sum(code not in (None, environment.code()) for code in made_by):
        print(f"{others} of {len(made_by)} runs were made by other code; force=true makes them anew", file=sys.stderr)


def _say_what_changed(folder: Path) -> None:
    lines = Counter(line for of_run in inputs.changed(begun(folder)).values() for line in of_run)
    for line, runs in lines.items():
        print(f"{line}: {runs} runs begin anew; what they left is kept in {folder / SUPERSEDED}", file=sys.stderr)


def _refuse_what_cannot_be_swept(cfg: DictConfig, overrides: list[str]) -> None:
    for text in overrides:
        if (name := text.lstrip("+").split("=")[0]) in ("hydra.sweep.dir", "hydra.sweep.subdir", "hydra.run.dir"):
            raise ConfigError(
                f"{name} does nothing here: what a sweep goes through names its folder, by which it is found again; "
                "paths.outputs=FOLDER (or REPRISE_OUTPUTS) puts all of it elsewhere"
            )
    for group, plugins in _PLUGINS.items():
        chosen = cfg.hydra.runtime.choices.get(group)
        if chosen in plugins:
            require(*plugins[chosen])
    if _sweeper(cfg) == "optuna" and not cfg.score:
        raise ConfigError("hydra/sweeper=optuna needs to know what it optimises: score=NAME_OF_A_METRIC")
    strategy = str(OmegaConf.select(cfg, "hardware.strategy"))
    if strategy in ("ddp", "fsdp") and _launcher(cfg) != "submitit_slurm":
        raise ConfigError(
            f"hardware.strategy={strategy} starts this script once per device, which would start the whole sweep "
            "again. Use hydra/launcher=submitit_slurm (SLURM starts the ranks), or run the jobs one by one"
        )


def _launcher(cfg: DictConfig) -> str:
    return str(cfg.hydra.runtime.choices.get("hydra/launcher"))


def _sweeper(cfg: DictConfig) -> str:
    return str(cfg.hydra.runtime.choices.get("hydra/sweeper"))


def _batches(cfg: DictConfig, jobs: list[Job] | None) -> list[list[Job]] | None:
    """The jobs that are given to the launcher together; submitit_local would start all of them at once."""
    if jobs is None:
        return None
    most = cfg.hydra.sweeper.get("max_batch_size")
    if most is None and _launcher(cfg) == "submitit_local":
        most = jobs_at_once(cfg.hardware.threads)
    most = most or len(jobs)
    return [jobs[start : start + most] for start in range(0, len(jobs), most)]


def _await_survivors(folder: Path, display: Display) -> None:
    """A launcher that broke down may leave running jobs behind (SLURM's are not its children); they end on their own."""
    while any(status(run) == RunStatus.RUNNING for run in begun(folder)):
        display.update()
        time.sleep(0.5)


def grid(application: Any, cfg: DictConfig, overrides: list[str]) -> list[Job] | None:
    """The overrides of every job, or None where a sweeper chooses them as it goes (optuna)."""
    if _sweeper(cfg) != "basic":
        return None
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader = application.config_loader
    # What the first of several experiments sweeps is its own
    params = {} if swept_experiments(loader, overrides) else cfg.hydra.sweeper.params or {}
    given = [text for text in overrides if not is_hydras(text)]
    parser = OverridesParser.create(config_loader=loader)
    with clear_mistakes(loader, overrides):
        parsed = parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *given])
        batches = BasicSweeper.split_arguments(parsed, None)
    return [list(job) for job in batches[0]] if batches else []


def _check_jobs(loader: ConfigLoader, cfg: DictConfig, jobs: list[Job]) -> None:
    """Refuse the mistakes that can be found without a third of a second per job, which composing takes."""
    with_it: dict[str, Job] = {}
    for job in jobs:
        for text in job:
            with_it.setdefault(text, job)
    suspects = [job for text, job in with_it.items() if _is_suspect(loader, text)]
    for job in [*jobs[:1], *suspects]:
        if wrong := loader.load_sweep_config(cfg, job).get(NOT_COMPOSED):
            raise ConfigError(wrong)


def _is_suspect(loader: ConfigLoader, override: str) -> bool:
    """Whether an override chooses what there is not, or is a value that :func:`check` may refuse."""
    key, _, value = override.partition("=")
    group = key.lstrip("+~").partition("@")[0]
    if loader.repository.group_exists(group):
        plain = re.fullmatch(r"[\w./-]+", value) and value != "null"
        return bool(plain) and not loader.repository.config_exists(f"{group}/{value}")
    return (key == "seed" and not value.isdecimal()) or key.split(".")[0] in ("report", "paper", "experiment", "score")


def one_data_set(cfg: DictConfig, jobs: list[list[str]]) -> list[str]:
    """The override that keeps a sweep to one of its data sets, where ``data.path`` replaces what each would generate."""
    names = [text for job in jobs for text in job if text.startswith("data=")]
    paths = {text for job in jobs for text in job if text.startswith("data.path=")}
    replaced = paths and "data.path=null" not in paths and OmegaConf.select(cfg, "data.generator") is not None
    return names[:1] if replaced and len(set(names)) > 1 else []


def _supervise(launch: Callable[[], None], display: Display) -> int:
    """Run a launcher in a child until it ends; returns its exit code, or minus the signal that we were sent."""
    signals: dict[int, child.Handler] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    with child.forked(launch, signals, death=signal.SIGTERM, to_group=True) as launcher:
        deadline = float("inf")
        while (code := launcher.wait(0.2)) is None:
            if launcher.asked:
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
            if time.monotonic() > deadline:
                launcher.send(signal.SIGKILL, to_group=True)
            display.update()
        display.update(at_once=True)
        launcher.end(WORKERS_PATIENCE_SECONDS)
    return -launcher.asked[0] if launcher.asked else code


def _conclude(folder: Path, missing: list[list[str]], code: int, began: float) -> int:
    """Report on the folder; 1 if a job or an instance is without a result, 2 if the command can never bring one."""
    from runs.record.sweep_folder import load
    from runs.report.build import build, print_to_terminal

    missing = without_secrets(missing)
    if missing:
        write_json(folder / "not_begun.json", {"jobs": missing, "launcher_exit_code": code})
    else:
        (folder / "not_begun.json").unlink(missing_ok=True)
    log = folder / "launcher.log"
    failed = hopeless = incomplete = False
    if begun(folder):
        summary = build(folder)
        print_to_terminal(summary)
        failed, incomplete = bool(summary.failed), not summary.whole
        hopeless = failed and all(run.failure.get("type") in USAGE_ERRORS for run in load(folder).runs)
    if missing or (code and not failed):
        print(f"the launcher ended with code {code}; its output is in {log}", file=sys.stderr)
        _show_tail(log)
    for job in missing:
        print(one_line(f"never began: {' '.join(job)}"), file=sys.stderr)
    if hopeless and not missing:
        return 2
    return 1 if incomplete or missing or code else 0


def _show_tail(log: Path, lines: int = 12) -> None:
    width = shutil.get_terminal_size().columns
    for line in log.read_text(errors="replace").splitlines()[-lines:]:
        print("  " + printable(without_secrets(line))[:width], file=sys.stderr)
