"""Samples made once and kept in the artifact cache, shard by shard."""

from __future__ import annotations

import json
import logging
import time
from functools import partial
from pathlib import Path

from data.regression.samples import Samples, SampleSource
from runs.errors import SolverFailure, at_least
from runs.store.cache import ArtifactCache, Collection
from runs.store.collect import collect

NAME = "samples"
SAID_EVERY = 10.0
"""Seconds between two lines in the log."""
_LOG = logging.getLogger(__name__)


class SampleStore:
    """The first ``count`` samples of a source; what the cache has not is made, by all processes that need it together.

    A killed collection goes on where it was, and a larger ``count`` makes only what is missing.

    Parameters
    ----------
    source
        Makes them.
    count
        How many.
    settings
        JSON text of the configuration that determines the samples, ``${json_of:.source}``; their number is no part of it.
    cache
        Folder of the artifact cache; None: samples are made whenever they are needed.
    workers
        Processes that make them.

    Raises
    ------
    ConfigError
        ``count`` or ``workers`` is out of its range.
    """

    def __init__(
        self,
        source: SampleSource,
        count: int,
        settings: str = "{}",
        cache: str | Path | None = None,
        workers: int = 0,
    ) -> None:
        at_least("data.", count=(count, 1), workers=(workers, 0))
        self.source, self.count, self.workers = source, count, workers
        self.settings, self.cache = settings, cache

    @property
    def shards(self) -> range:
        """Numbers of the shards that hold the samples."""
        return range(-(-self.count // self.source.per_shard))

    def collection(self) -> Collection | None:
        """Where the shards lie."""
        if self.cache is None:
            return None
        settings = json.loads(self.settings)
        for name in self.source.presentation:
            settings.get("source", {}).pop(name, None)
        return ArtifactCache(self.cache).collection(NAME, {**settings, **self.source.identity()})

    def samples(self) -> Samples:
        """All of them, made where they are missing.

        Raises
        ------
        SolverFailure
            A shard could not be made: gives the reason.
        """
        collection = self.collection()
        if collection is None:
            parts = [self.source.shard(number) for number in self.shards]
        else:
            report = collect(
                collection,
                list(self.shards),
                partial(_made, self.source),
                workers=self.workers,
                progress=_Progress(),
            )
            if report.failed:
                number, reason = next(iter(report.failed.items()))
                raise SolverFailure(f"{len(report.failed)} shards of samples were not made; shard {number}: {reason}")
            parts = [Samples.from_bytes(collection.get(number) or b"") for number in self.shards]
        return Samples.joined(parts).take(slice(self.count))


class _Progress:
    """A line in the log now and then of what takes long."""

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.said > SAID_EVERY:
            _LOG.info("%d of %d shards of samples are made", done, total)
            self.said = time.monotonic()


def _made(source: SampleSource, number: int) -> bytes:
    return source.shard(number).to_bytes()
