"""Tables small enough to compute by hand, and the reference of the formulas where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data.sharding.table_law import LookupLaw, law_tables
from data.sharding.tables import EmbeddingTables

BATCH = 65_536


@pytest.fixture(scope="session")
def pool() -> EmbeddingTables:
    return law_tables(40, seed=3)


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    path = Path(os.environ.get("REPRISE_DATA", "datasets")) / "sharding" / "device_reference.npz"
    if not path.is_file():
        pytest.skip("REPRISE_DATA has no sharding/device_reference.npz")
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="session")
def reference_tables(reference: dict[str, np.ndarray]) -> EmbeddingTables:
    law = LookupLaw.of_normals(reference["normals"], BATCH)
    return law.tables([str(i) for i in range(len(law.rows))], BATCH)
