"""Loading a sweep's folder: what its runs left, and what became of those that left nothing."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from runs.errors import ConfigError
from runs.files import read_record
from runs.record.run_folder import RESULT_COLUMNS, Run, dictionary, load_run, sweep_command
from runs.record.run_record import RunStatus
from runs.record.variants import with_variants
from runs.text import cleaned

RECORD_FILES = ("config.yaml", "environment.json", "metrics.json", "failure.json", "owner.lock")


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of a folder; ``results`` are those of the usable ones."""

    folder: Path
    runs: list[Run]

    @property
    def usable(self) -> list[Run]:
        return [run for run in self.runs if run.usable]

    @property
    def is_single_run(self) -> bool:
        return len(self.runs) == 1 and self.runs[0].folder == self.folder

    @property
    def command(self) -> str:
        """The shell line that makes the whole sweep again; "" where the launcher left none."""
        return sweep_command(self.folder)

    @property
    def vanished(self) -> int:
        """How many jobs of a sweep that is over have no folder here any more."""
        about = read_record(self.folder / "sweep.json")
        jobs = about.get("jobs")
        over = "complete" in about and not any(run.status == RunStatus.RUNNING for run in self.runs)
        return max(0, jobs - len(self.runs) - len(self.not_begun)) if over and isinstance(jobs, int) else 0

    @property
    def not_begun(self) -> list[str]:
        """Jobs of the sweep that never got as far as a folder, by their overrides."""
        jobs = cleaned(read_record(self.folder / "not_begun.json")).get("jobs")
        jobs = jobs if isinstance(jobs, list) else []
        return [shlex.join(str(text) for text in job) for job in jobs if isinstance(job, list)]

    @property
    def instance_errors(self) -> dict[tuple[str, str], list[Run]]:
        """Instances without a result and why, with the runs that finished nevertheless."""
        found: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in self.usable:
            for name, text in dictionary(run.record.get("instance_errors")).items():
                found[str(name), str(text)].append(run)
        return dict(sorted(found.items(), key=lambda item: item[0]))

    @property
    def results(self) -> pd.DataFrame:
        """Rows of :data:`RESULT_COLUMNS` as the runs wrote them."""
        frames = [run.results for run in self.usable if len(run.results)]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=RESULT_COLUMNS)

    @property
    def experiments(self) -> list[tuple[str, str]]:
        """The (paper, experiment) pairs that have usable runs."""
        return sorted({(run.paper, run.experiment) for run in self.usable})

    def restricted(self, paper: str, experiment: str) -> Sweep:
        """The runs of one experiment only."""
        return Sweep(self.folder, [r for r in self.runs if (r.paper, r.experiment) == (paper, experiment)])


def load(folder: Path | str) -> Sweep:
    """Read every run record below ``folder``, which may be a sweep or a single run.

    A run that is running, was killed, failed or cannot be read is kept with its cause and never stops the others.

    Raises
    ------
    ConfigError
        There is no such folder, or no run record in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; give the folder of a sweep or of a run")
    folders = list(run_folders(folder))
    if not folders:
        raise ConfigError(
            f"{folder}: holds no run record (no subfolder with config.yaml); give the folder of a sweep or of a run"
        )
    return Sweep(folder, with_variants([load_run(path) for path in folders]))


def run_folders(folder: Path) -> Iterator[Path]:
    """The run folders of a sweep in order of name; the folder itself if it is a run."""
    if _is_run(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and _is_run(path):
            yield path


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in RECORD_FILES)
