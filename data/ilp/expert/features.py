"""Static features of the training instances, made once from each record's root LP (docs/papers/cl_lns.md#3)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from data.ilp.expert.collection import ExpertCollection, read_problem
from data.ilp.expert.record import ExpertRecord
from data.ilp.features.static import static_features
from runs.errors import InvalidProblem
from runs.store.cache import ArtifactCache, Collection, npz_bytes
from runs.store.collect import collect

VERSION = 1
"""Raise it when the static features change, so that stored ones are made again."""


def fill_features(records: ExpertCollection, cache: str, workers: int = 0) -> Collection:
    """Make the missing features of every instance that has a record; returns where they lie.

    Each artifact holds ``variables`` (n, 95), ``rows`` (M, 10), ``edges`` (E, 2) and ``edge_index`` (2, E) int32.

    Raises
    ------
    InvalidProblem
        An instance has features that are not finite.
    """
    features = ArtifactCache(cache).collection(
        "expert_features", {"of": records.artifacts.identity, "version": VERSION}
    )
    made = [item for item in records.items if records.artifacts.get(item) is not None]
    problems: Any = records.programs.test_problems
    make = functools.partial(make_features, records=records.artifacts, problems=problems, positions=records.items)
    report = collect(features, made, make, workers=workers)
    if report.failed:
        item, reason = next(iter(report.failed.items()))
        raise InvalidProblem(f"no static features of instance {item}: {reason}")
    return features


def make_features(item: str, records: Collection, problems: Dataset[Any], positions: Mapping[str, int]) -> bytes:
    """The features of one instance."""
    payload = records.get(item)
    if payload is None:
        raise InvalidProblem(f"the record of instance {item} is damaged or gone; run again to collect it anew")
    _, problem = read_problem(problems, positions[item])
    record = ExpertRecord.from_bytes(payload)
    static = static_features(problem.to_min(), record.lp, record.rows)
    return npz_bytes(
        {
            "variables": static.variables,
            "rows": static.rows,
            "edges": static.edges,
            "edge_index": static.graph.edge_index.astype(np.int32),
        }
    )
