"""Collection of expert records: one artifact per instance, kept after every step, shared by workers and machines."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from torch.utils.data import Dataset

from data.ilp.expert.record import ExpertRecord
from data.ilp.instances import IntegerPrograms, UnreadableInstance
from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from runs.files import read_json
from runs.store.cache import ArtifactCache, Collection
from runs.store.collect import Report, collect

MANY_WITHOUT_NEGATIVES = 0.3
"""Share of states without a bad set beyond which the start was too weak (docs/papers/cl_lns.md#2.2)."""

_LOG = logging.getLogger(__name__)


class Collector(Protocol):
    """The expert; see :class:`solvers.lns.expert.LocalBranchingExpert`."""

    def records(self, problem: ILP, index: int, record: ExpertRecord | None = None) -> Iterator[ExpertRecord]:
        """The record after the start and after every step, continued from ``record``; the last one has an ``end``."""


class ExpertCollection:
    """The records of a set of training instances.

    Parameters
    ----------
    programs
        The instances.
    cache
        Folder of the artifact cache.
    settings
        The configuration that the records depend on; another one is another collection.
    """

    def __init__(self, programs: IntegerPrograms, cache: str, settings: Mapping[str, Any]) -> None:
        self.programs = programs
        self.settings = settings
        self.artifacts = ArtifactCache(cache).collection("expert", settings)

    @functools.cached_property
    def items(self) -> dict[str, int]:
        """Position of each item: generated instances go by their index, files by name and content."""
        self.programs.setup()
        problems: Any = self.programs.test_problems
        if self.programs.path is None:
            return {f"{self.programs.first + position:05d}": position for position in range(len(problems))}
        return {self.item_of(*problems[position]): position for position in range(len(problems))}

    def item_of(self, index: int, problem: Any) -> str:
        """The item of one instance, or of the error that stands for it."""
        if self.programs.path is None:
            return f"{index:05d}"
        if isinstance(problem, UnreadableInstance):
            return f"{problem.instance_name} unreadable"
        return f"{problem.name}-{problem.fingerprint[:16]}"

    def fill(self, collector: Collector, workers: int = 0) -> Report:
        """Collect what is missing; every copy of a command that calls this works on the same items.

        Raises
        ------
        ConfigError
            No instance could be collected; gives the first reason.
        """
        self.programs.setup()
        problems: Any = self.programs.test_problems
        make = functools.partial(
            make_record, artifacts=self.artifacts, problems=problems, positions=self.items, collector=collector
        )
        progress = _Progress(self)
        report = collect(self.artifacts, list(self.items), make, workers=workers, progress=progress)
        for item in self.items:
            if item in report.failed:
                _LOG.warning("instance %s was not collected: %s", item, report.failed[item])
            else:
                self.artifacts.discard(_steps(item))
        if len(report.failed) == len(self.items):
            raise ConfigError(
                f"no instance of {self.programs.name} could be collected; the first: {next(iter(report.failed.values()))}"
            )
        return report

    def review(self, negative_share: float) -> None:
        """Warn of what the first incumbents or k make unfit to learn from.

        Raises
        ------
        ConfigError
            Local branching improved no first incumbent.
        """
        found = [record for item in self.items if (record := self.record(item)) is not None]
        optimal = [record.name for record in found if not record.steps]
        if optimal:
            text = (
                f"local branching does not improve the first incumbent of {', '.join(optimal[:3])}"
                f"{' and others' if len(optimal) > 3 else ''} ({len(optimal)} of {len(found)} instances), which is "
                "LB-optimal for k; raise data.collector.size or weaken data.collector.start"
            )
            if len(optimal) == len(found):
                raise ConfigError(text)
            _LOG.warning(text)
        bare = [not len(step.bad(negative_share)) for record in found for step in record.steps]
        if bare and sum(bare) / len(bare) > MANY_WITHOUT_NEGATIVES:
            _LOG.warning(
                "%.0f %% of the states have no bad set: the first incumbents are too weak (a few right variables gain more "
                "than %g of the best step) or the sets too small; raise data.collector.start_budget or data.collector.size, "
                "or lower data.collector.perturbation.step",
                100 * sum(bare) / len(bare),
                negative_share,
            )

    def record(self, item: str) -> ExpertRecord | None:
        """The finished record of an item, or None."""
        payload = self.artifacts.get(item)
        return None if payload is None else ExpertRecord.from_bytes(payload)

    def require(self) -> None:
        """Refuse to go on where records are missing.

        Raises
        ------
        ConfigError
            Names the collection, and what differs in others that are there.
        """
        missing = [item for item in self.items if self.artifacts.get(item) is None]
        if missing:
            raise ConfigError(
                f"data.collect is false, but {len(missing)} of {len(self.items)} records are missing in collection "
                f"{self.artifacts.identity}{self._others()}; set data.collect=true or use the settings of that collection"
            )

    def _others(self) -> str:
        """What distinguishes the other collections of this cache from the one that is asked for."""
        texts = []
        for path in sorted(self.artifacts.folder.parent.glob("*/config.json")):
            theirs = read_json(path)
            if path.parent != self.artifacts.folder and isinstance(theirs, dict):
                ours = _flat(self.settings)
                changed = [key for key in sorted({*ours, *_flat(theirs)}) if ours.get(key) != _flat(theirs).get(key)]
                difference = ", ".join(f"{key} {_flat(theirs).get(key)} (here {ours.get(key)})" for key in changed[:3])
                texts.append(f"{path.parent.name} with {difference}")
        return f"; there are {'; '.join(texts[:3])}" if texts else ""


def make_record(
    item: str,
    artifacts: Collection,
    problems: Dataset[Any],
    positions: Mapping[str, int],
    collector: Collector,
) -> bytes:
    """The record of one item, from the steps that a killed maker left; the caller holds the item's claim."""
    index, problem = read_problem(problems, positions[item])
    with _held(artifacts, _steps(item)):
        left = artifacts.get(_steps(item))
        begun = None if left is None else ExpertRecord.from_bytes(left)
        if begun is not None and begun.fingerprint != problem.fingerprint:
            begun = None  # made by another version of the generator
        *_, record = _kept(collector.records(problem, index, begun), artifacts, _steps(item))
    return record.to_bytes()


def _kept(records: Iterator[ExpertRecord], artifacts: Collection, item: str) -> Iterator[ExpertRecord]:
    """Pass records on and store each unfinished one."""
    for record in records:
        if not record.end:
            artifacts.put(item, record.to_bytes())
        yield record


class _Progress:
    """One line in the log for every instance that is done."""

    def __init__(self, collection: ExpertCollection) -> None:
        self.collection = collection
        self.waiting: list[str] | None = None

    def __call__(self, done: int, total: int) -> None:
        records = self.collection
        if self.waiting is None:  # what was there before is not news
            self.waiting = [item for item in records.items if records.artifacts.get(item) is None]
            if self.waiting:
                _LOG.info("%d of %d instances are to be collected", len(self.waiting), total)
            return
        for item in list(self.waiting):
            record = records.record(item)
            if record is not None:
                self.waiting.remove(item)
                numbers = ", ".join(f"{name} {value:.4g}" for name, value in totals(measure(record)).items())
                _LOG.info("collected %d of %d, %s: %s", done, total, record.name, numbers)


def measure(record: ExpertRecord, positive_share: float = 0.5, negative_share: float = 0.05) -> dict[str, np.ndarray]:
    """The progress table of one instance, a row per state (T,): sets by these shares, gap of local branching, seconds."""
    steps = record.steps
    return {
        "positives": np.array([len(step.good(positive_share)) for step in steps]),
        "negatives": np.array([len(step.bad(negative_share)) for step in steps]),
        "improvement": np.array([step.best_gain for step in steps], np.float64),
        "lb_gap": np.array([step.lb_gap for step in steps], np.float64),
        "lb_seconds": np.array([step.lb_seconds for step in steps], np.float64),
        "negative_seconds": np.array([step.perturbed_seconds for step in steps], np.float64),
    }


def totals(table: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Sums of :func:`measure`'s columns, but the mean of the gap."""
    gaps = table["lb_gap"][np.isfinite(table["lb_gap"])]
    sums = {name: float(np.sum(column)) for name, column in table.items() if name not in ("lb_gap", "improvement")}
    without = float(np.sum(table["negatives"] == 0))
    mean = float(np.mean(gaps)) if len(gaps) else np.nan
    return {"states": float(len(table["lb_gap"])), "states_without_negatives": without, **sums, "lb_gap": mean}


def read_problem(problems: Any, position: int) -> tuple[int, ILP]:
    """Index and ILP at a position; the reason why its file cannot be read is raised."""
    index, problem = problems[position]
    if isinstance(problem, InvalidProblem):
        raise problem
    return index, problem


def _steps(item: str) -> str:
    """Where an unfinished record lies, beside the finished ones."""
    return f"{item}.steps"


@contextlib.contextmanager
def _held(artifacts: Collection, item: str) -> Iterator[None]:
    """Hold a claim that others take for moments only, when they look for what killed writers left."""
    while True:
        with artifacts.claim(item) as mine:
            if mine:
                yield
                return
        time.sleep(0.01)


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by dotted path."""
    if not isinstance(settings, Mapping):
        return {prefix: settings}
    return {
        k: v for key, value in settings.items() for k, v in _flat(value, f"{prefix}.{key}" if prefix else key).items()
    }
