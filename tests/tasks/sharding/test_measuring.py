"""Costs of a machine: collected block by block, and fitted from what the networks learn from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.regression.store import SampleStore
from data.sharding.cost_samples import CommunicationCosts, ShardCosts
from data.sharding.oracles.analytical import nvlink
from data.sharding.oracles.eager import Eager
from data.sharding.oracles.fitted import fit_device
from data.sharding.oracles.measured import MeasuredOracle
from data.sharding.oracles.timing import Timing
from data.sharding.table_law import law_tables
from runs.errors import SolverFailure
from tasks.sharding.measuring import samples_of, sentences

QUICK = Timing(repeats=2, warmup=0, smallest=1, flush_mb=0, steady=1e9)


def test_a_device_is_fitted_to_what_the_networks_learn_from() -> None:
    device: Any = nvlink()

    def pool() -> Any:
        return law_tables(20, seed=1)

    sources = {
        "compute": ShardCosts(pool, device, per_shard=100),
        "backward": CommunicationCosts(pool, device, 4, "backward", per_shard=100),
        "forward": CommunicationCosts(pool, device, 4, "forward", per_shard=100),
    }
    trainings = {
        part: SimpleNamespace(samples=SimpleNamespace(samples=SampleStore(source, 100)))
        for part, source in sources.items()
    }
    learned: Any = SimpleNamespace(trainings=trainings)
    compute, exchanges = samples_of(learned)
    assert np.allclose(device.compute(compute.tables, compute.pieces, 100, 1), compute.cost)
    found = fit_device(compute, exchanges, "here", "formulas")
    assert found.quality["compute_mape"] < 0.05 and found.quality["exchange_mape"] < 0.05
    assert "fitted device of here, kernel formulas, batch 65536: relative error of shards" in sentences(found)[0]


def test_a_collection_that_broke_off_goes_on_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    whole = MeasuredOracle.measure

    def breaks(oracle: MeasuredOracle, tables: Any, shards: Any) -> Any:
        if len(measured) == 2:
            raise SolverFailure("the machine was switched off")
        measured.append(len(shards))
        return whole(oracle, tables, shards)

    def store() -> SampleStore:
        oracle = MeasuredOracle(Eager(), nvlink(), QUICK, cache=tmp_path, block=4)
        return SampleStore(ShardCosts(lambda: law_tables(4, seed=1, batch=16), oracle, per_shard=8), 16, cache=tmp_path)

    monkeypatch.setattr(MeasuredOracle, "measure", breaks)
    with pytest.raises(SolverFailure, match="switched off"):
        store().samples()
    monkeypatch.setattr(MeasuredOracle, "measure", lambda *all: (measured.append(len(all[2])), whole(*all))[1])
    first = store().samples()
    assert sum(measured) == 16, "what was measured before was not measured again"
    assert np.array_equal(store().samples().targets, first.targets) and sum(measured) == 16
