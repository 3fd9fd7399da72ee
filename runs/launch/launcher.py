"""What the child of a sweep does: hand its jobs to Hydra's launcher."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from runs.launch.config_folder import compose
from runs.launch.isolation import Isolated, Work
from runs.launch.jobs import Job, Ledger
from runs.secret import kept_out_of_logs, without_secrets


def launch_jobs(
    application: Any, work: Work, ledger: Ledger, overrides: list[str], batches: list[list[Job]] | None
) -> None:
    """Launch ``batches`` one after the other, or what the sweeper chooses where there are none; ``work`` is done in each.

    Never returns, so that what a launcher leaves behind cannot hold up the end.
    """
    code = 1
    try:
        log = os.open(ledger.folder / "launcher.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
        kept_out_of_logs()
        overrides = [*overrides, f"hydra.sweep.dir={_quoted(ledger.folder)}"]
        task = Isolated(work, ledger, os.getpid())
        if batches is None:
            application.multirun("config", task, overrides)
        else:
            _launch(application.config_loader, task, overrides, batches)
        code = 0
    except BaseException as error:
        import traceback

        print(without_secrets(traceback.format_exc()), file=sys.stderr)
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 255)


def _launch(loader: Any, task: Isolated, overrides: list[str], batches: list[list[Job]]) -> None:
    """As Hydra's own sweeper does, which would go through the finished jobs, too, and compose each one before the first."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.core.utils import configure_log
    from hydra.types import HydraContext

    cfg = compose(loader, overrides)
    configure_log(cfg.hydra.hydra_logging, cfg.hydra.verbose)
    callbacks = Callbacks(cfg)
    callbacks.on_multirun_start(config=cfg, config_name="config")
    context = HydraContext(config_loader=loader, callbacks=callbacks)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=cfg)
    first = 0
    for jobs in batches:
        for job in launcher.launch(jobs, initial_job_idx=first):
            _ = job.return_value  # raises what the job has raised
        first += len(jobs)
    callbacks.on_multirun_end(config=cfg, config_name="config")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
