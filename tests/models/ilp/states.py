"""Random labelled states for the tests of the policy and its losses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


def random_state(seed: int, n: int = 12, m: int = 8, positives: int = 3, negatives: int = 5) -> Any:
    """One state with features of very different scales, of which some columns are constant."""
    rng = np.random.default_rng(seed)
    row, variable = np.nonzero(rng.random((m, n)) < 0.4)
    sets = [rng.choice(n, rng.integers(1, n), replace=False) for _ in range(positives + negatives)]
    variables = rng.normal(3.0, 10.0 ** rng.integers(-2, 3, 104), size=(n, 104)).astype(np.float32)
    variables[:, [2, 7, 40]] = [0.5, 1.0, 0.1]
    return SimpleNamespace(
        variables=variables,
        rows=rng.normal(size=(m, 10)).astype(np.float32),
        edge_index=np.stack([row, variable]).astype(np.int64),
        edges=rng.normal(size=(len(row), 2)).astype(np.float32),
        member=np.concatenate(sets) if sets else np.zeros(0, np.int64),
        set_of_member=np.repeat(np.arange(len(sets)), [len(members) for members in sets]).astype(np.int64),
        positive=np.arange(len(sets)) < positives,
        gain=rng.random(len(sets)),
    )
