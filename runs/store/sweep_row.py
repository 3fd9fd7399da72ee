"""The run of a sweep that a row of its table and a seed name."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from runs.errors import ConfigError
from runs.record.sweep_folder import run_folders
from runs.store.trained import CHECKPOINTS, CONFIG, Provenance, read_config


def run_of_row(sweep: Path, method: str | None = None, seed: int | None = None) -> Path:
    """The folder of the only run with this row and seed that has trained something; None: whichever there is.

    Raises
    ------
    ConfigError
        There is no such folder, or no such run in it, or several: lists what there is.
    """
    sweep = sweep.expanduser().absolute()
    if not sweep.is_dir():
        raise ConfigError(f"checkpoint.sweep: {sweep} does not exist; give the folder of a sweep")
    there = {folder: Provenance.of(folder, read_config(folder, "checkpoint.sweep")) for folder in _trained(sweep)}
    found = [
        folder for folder, run in there.items() if method in (None, run.method) and (seed is None or seed == run.seed)
    ]
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"{key} {value}" for key, value in (("method", method), ("seed", seed)) if value is not None)
    if not found:
        raise ConfigError(f"checkpoint: no run of {sweep} has trained {asked or 'anything'}; {_rows(there)}")
    if method is not None and seed is not None:
        names = ", ".join(folder.name for folder in found)
        raise ConfigError(f"checkpoint: {len(found)} runs of {sweep} are {asked}; give the folder of one: {names}")
    raise ConfigError(
        f"checkpoint: {len(found)} runs of {sweep} have trained something; choose one by checkpoint={{sweep: FOLDER, "
        f"method: ROW, seed: 0}}: {_rows(there)}"
    )


def _trained(sweep: Path) -> list[Path]:
    checkpoints = {
        folder: folder / CHECKPOINTS for folder in run_folders(sweep) if folder != sweep and (folder / CONFIG).is_file()
    }
    return [
        folder
        for folder, path in checkpoints.items()
        if (path / "last.ckpt").is_file() or next(path.glob("*.pt"), None)
    ]


def _rows(there: dict[Any, Provenance]) -> str:
    seeds: dict[str, list[int]] = defaultdict(list)
    for run in there.values():
        seeds[run.method].append(run.seed)
    rows = "; ".join(f"{method} (seed {', '.join(map(str, sorted(seeds[method])))})" for method in sorted(seeds))
    return f"there are {rows}" if rows else "there is none"
