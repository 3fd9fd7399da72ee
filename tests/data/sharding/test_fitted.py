"""Fitting a device of formulas: found again from its own costs, written, read, and refused where the file is wrong."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from data.sharding.oracles.analytical import AnalyticalDevice, gpu11, nvlink
from data.sharding.oracles.fitted import ComputeSamples, ExchangeSamples, Fitted, fit_device, fitted
from data.sharding.oracles.machine import this_machine
from data.sharding.samples import communication_samples, shard_samples
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, InvalidProblem


def samples_of(
    device: AnalyticalDevice, pool: EmbeddingTables, seed: int
) -> tuple[ComputeSamples, list[ExchangeSamples]]:
    rng = np.random.default_rng(seed)
    pieces = shard_samples(pool, 300, rng)
    sums, start = communication_samples(4, 60, rng)
    noise = np.exp(0.03 * rng.normal(size=300))
    exchanges = [
        ExchangeSamples(sums, device.backward_communication(pool, sums)),
        ExchangeSamples(sums, device.forward_communication(pool, sums, start), start),
    ]
    return ComputeSamples(pool, pieces, device.compute(pool, pieces, 300, 1) * noise), exchanges


@pytest.fixture(scope="module")
def found(pool: EmbeddingTables) -> Fitted:
    return fit_device(*samples_of(nvlink(), pool, 0), this_machine(), "nvlink")


def test_a_device_is_found_again_from_noisy_costs_of_its_own(found: Fitted, pool: EmbeddingTables) -> None:
    compute, exchanges = samples_of(nvlink(), pool, 1)
    predicted = found.device().compute(pool, compute.pieces, 300, 1)
    true = nvlink().compute(pool, compute.pieces, 300, 1)
    assert np.mean(np.abs(predicted / true - 1)) < 0.02
    forward = found.device().forward_communication(pool, exchanges[1].dim_sums, exchanges[1].start)
    assert forward == pytest.approx(exchanges[1].cost, rel=0.02)
    assert found.limits["link_rate"] == pytest.approx(2e8, rel=0.01)
    assert found.quality["compute_mape"] < 0.05 and found.quality["compute_r2"] > 0.98
    assert found.quality["exchange_r2"] > 0.99


def test_what_was_fitted_travels_as_a_file(found: Fitted, pool: EmbeddingTables, tmp_path: Path) -> None:
    (tmp_path / "device.json").write_text(found.to_json())
    device = fitted(tmp_path / "device.json", skew=False)
    pieces = shard_samples(pool, 5, np.random.default_rng(3))
    assert np.array_equal(device.compute(pool, pieces, 5, 1), found.device().compute(pool, pieces, 5, 1))
    assert not device.skew
    assert set(json.loads((tmp_path / "device.json").read_text())) == {
        "limits",
        "machine",
        "kernel",
        "batch",
        "quality",
    }


def test_a_device_of_another_machine_is_told(found: Fitted, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "device.json"
    path.write_text(found.to_json())
    with caplog.at_level(logging.WARNING):
        fitted(path)
        assert not caplog.records
        path.write_text(path.read_text().replace(this_machine(), "a GPU elsewhere"))
        fitted(path)
    assert "was fitted on 'a GPU elsewhere', and this is" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limits": {"cache": 1.0}}, "limits must have the fields cache, memory_rate"),
        ({"limits": None}, "limits must have the fields"),
        ({"limits": {**{n: float(v) for n, v in gpu11().limits.items()}, "launch": -1}}, "limits.launch is -1"),
        ({"limits": {**{n: float(v) for n, v in gpu11().limits.items()}, "launch": "x"}}, "limits.launch is 'x'"),
    ],
)
def test_a_file_that_is_no_device_is_refused(change: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"machine": "m", **change}))
    with pytest.raises(InvalidProblem, match=rf"bad\.json: {message}"):
        fitted(path)


def test_a_missing_file_and_too_few_samples_are_refused(pool: EmbeddingTables, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist; give the device\.json that neuroshard/measure writes"):
        fitted(tmp_path / "none.json")
    pieces = shard_samples(pool, 3, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="3 shards were measured; a device needs at least 16"):
        fit_device(ComputeSamples(pool, pieces, np.ones(3)), [], "m", "k")
