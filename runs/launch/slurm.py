"""What a stopped sweep leaves in SLURM's queue."""

from __future__ import annotations

import re
from pathlib import Path


def how_to_cancel(folder: Path, since: float, name: str) -> str:
    """One line for a user whose launcher has stopped: its jobs are not its children, so they stay queued and run.

    Parameters
    ----------
    folder
        The sweep's; submitit makes a folder ``.submitit/<array>_<task>`` per job in it.
    since
        When the launcher started, in seconds since the epoch; folders that are older are an earlier launch's.
    name
        What the jobs are called in the queue, for launchers that keep submitit's folder elsewhere.
    """
    jobs = [path for path in folder.glob(".submitit/*") if re.fullmatch(r"\d+(_\d+)?", path.name)]
    arrays = sorted({path.name.partition("_")[0] for path in jobs if path.stat().st_mtime >= since}, key=int)
    cancel = f"scancel {' '.join(arrays)}" if arrays else f"scancel --me --name={name}"
    return f"SLURM still runs the jobs it was given, each leaves its record; to cancel them: {cancel}"
