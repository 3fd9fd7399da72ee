"""Which jobs of a sweep there are runs of, and whether it need not be launched again."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs import inputs
from runs.files import atomic_write, read_record
from runs.launch.rows import NOT_CHOICES
from runs.names import NOT_PART_OF_A_RUN, part_of_a_run
from runs.record.run_record import finished_whole

Job = list[str]
"""The overrides of one run."""
_RECORD = ("config.yaml", "environment.json", "metrics.json", "failure.json")
_VARIABLE = re.compile(rb"oc\.env:\s*(\w+)")


def begun(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/environment.json"))


@dataclass(frozen=True)
class Ledger:
    """Which run each job of a sweep is, noted by whoever begins it: a file in ``.jobs`` with the name of the run's folder.

    The name could be had from the composed configuration alone, which costs Hydra a third of a second per job.

    Parameters
    ----------
    folder
        The sweep's.
    meaning
        A digest of the configuration files, which say what overrides mean.
    """

    folder: Path
    meaning: str

    def note(self, job: Sequence[str], run: Path) -> None:
        """Say that the job is this run."""
        atomic_write(self._entry(job), run.name.encode())

    def forget(self, job: Sequence[str]) -> None:
        """The job is to begin anew."""
        self._entry(job).unlink(missing_ok=True)

    def run_of(self, job: Sequence[str]) -> Path | None:
        """The folder of the job's run; None if it has not begun."""
        try:
            name = self._entry(job).read_text(errors="replace")
        except FileNotFoundError:
            return None
        run = self.folder / Path(name).name  # whatever somebody wrote there, a folder of this sweep
        return run if any((run / name).exists() for name in _RECORD) else None

    def to_launch(self, jobs: Iterable[Job]) -> list[Job]:
        """The jobs that have no finished run, or one that read what has changed since."""
        runs = [(job, self.run_of(job)) for job in jobs]
        whole = {run for _, run in runs if run is not None and finished_whole(run)}
        done = whole - inputs.changed(whole).keys()
        return [job for job, run in runs if run not in done]

    def _entry(self, job: Sequence[str]) -> Path:
        words = sorted(text for text in job if part_of_a_run(text))
        return self.folder / ".jobs" / hashlib.sha256(repr((self.meaning, words)).encode()).hexdigest()[:20]


def meaning(application: Any, jobs: Iterable[Job] | None) -> str:
    """A digest of what can make a run: files and tables of every configuration folder, and the variables that they read."""
    files = [
        (root, path)
        for root, path in _files(application)
        if path.stem not in NOT_CHOICES and path.relative_to(root).parts[0] not in NOT_PART_OF_A_RUN
    ]
    return _digest(files, repr([text for job in jobs or () for text in job]).encode())


def configuration(application: Any, jobs: list[Job] | None, shown: Any = None) -> str:
    """A digest of the jobs, of how they are ``shown``, of every configuration file that could say what they mean, and of the
    variables that these read."""
    words = None if jobs is None else sorted(sorted(filter(part_of_a_run, job)) for job in jobs)
    text = repr((words, shown)).encode()
    return hashlib.sha256(text + _digest(_files(application), text).encode()).hexdigest()


def _digest(files: Iterable[tuple[Path, Path]], more: bytes) -> str:
    """Of files by name and content, and of the variables of the environment that they and ``more`` name."""
    digest, variables = hashlib.sha256(), set(_VARIABLE.findall(more))
    for root, path in files:
        text = path.read_bytes()
        digest.update(repr((str(path.relative_to(root)), text)).encode())
        variables.update(_VARIABLE.findall(text))
    digest.update(repr([os.environb.get(name) for name in sorted(variables)]).encode())
    return digest.hexdigest()


def _files(application: Any) -> Iterator[tuple[Path, Path]]:
    """Every configuration file, with the folder it is searched in."""
    places = (
        str(place.path).removeprefix("file://") for place in application.config_loader.get_search_path().get_path()
    )
    for root in (Path(place) for place in places if "://" not in place):  # others are packages of code
        for path in sorted(root.rglob("*.yaml")):
            yield root, path


def is_complete(ledger: Ledger, about: dict[str, Any], jobs: list[Job] | None) -> bool:
    """True if this very sweep ended well before and nothing was taken from its folder since."""
    before = read_record(ledger.folder / "sweep.json")
    if not before.get("complete") or before.get("configuration") != about["configuration"] or jobs is None:
        return False
    told = all((ledger.folder / name).exists() for name in ("summary.txt", "report.html"))
    return told and not ledger.to_launch(jobs)
