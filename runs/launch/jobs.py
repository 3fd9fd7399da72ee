"""Which jobs of a sweep have begun, and whether it need not be launched again."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from runs import inputs
from runs.files import read_json
from runs.record.run_record import finished_whole


def begun(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/environment.json"))


def not_begun(jobs: list[list[str]] | None, folder: Path) -> list[list[str]]:
    """The jobs without a run folder in ``folder``."""

    def identity(job: list[str]) -> tuple[str, ...]:
        return tuple(text for text in job if not text.startswith(("hydra", "experiment=")))

    known = {identity((read_json(run / "environment.json") or {}).get("overrides") or []) for run in begun(folder)}
    return [job for job in jobs or [] if identity(job) not in known]


def configuration(application: Any, jobs: list[list[str]] | None) -> str:
    """A digest of the jobs, of every configuration file that could say what they mean, and of the variables these read."""
    digest = hashlib.sha256(repr(jobs).encode())
    variables = set(re.findall(rb"oc\.env:\s*(\w+)", repr(jobs).encode()))
    places = (
        str(place.path).removeprefix("file://") for place in application.config_loader.get_search_path().get_path()
    )
    for root in (Path(place) for place in places if "://" not in place):  # others are packages of code
        for path in sorted(root.rglob("*.yaml")):
            text = path.read_bytes()
            digest.update(repr((str(path.relative_to(root)), text)).encode())
            variables.update(re.findall(rb"oc\.env:\s*(\w+)", text))
    digest.update(repr([os.environb.get(name) for name in sorted(variables)]).encode())
    return digest.hexdigest()


def is_complete(folder: Path, about: dict[str, Any], jobs: list[list[str]] | None) -> bool:
    """True if this very sweep ended well before and nothing was taken from its folder since.

    To find each run finished one by one would take a third of a second per job, which Hydra needs to compose it.
    """
    before = read_json(folder / "sweep.json") or {}
    complete = before.get("complete") or before.get("settled")  # the name in folders of older versions
    if not complete or before.get("configuration") != about["configuration"] or jobs is None:
        return False
    told = (folder / "summary.txt").exists() and (folder / "report.html").exists()
    runs = begun(folder)
    return told and not not_begun(jobs, folder) and all(map(finished_whole, runs)) and not inputs.changed(runs)
