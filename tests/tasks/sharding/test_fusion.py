"""Costs do not add up on a device of formulas, and do on one that adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.sharding.oracles.analytical import AnalyticalDevice, gpu11
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from runs.errors import ConfigError
from tasks.sharding.fusion import FusionCosts, costs_of


class Adds(AnalyticalDevice):
    """Costs a millisecond for every column."""

    def __init__(self) -> None:
        super().__init__(*[1.0] * 10)

    def fused(self, added: np.ndarray, largest: np.ndarray, device: np.ndarray) -> np.ndarray:
        return added[:, 37] / (4 * 65_536)  # bytes written


@pytest.mark.parametrize("oracle", [Adds(), gpu11()], ids=["adds", "gpu11"])
def test_ratios_are_1_where_costs_add_up_and_not_where_tables_share_a_cache(
    oracle: AnalyticalDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FusionCosts, "folder", tmp_path)
    problem = ShardingProblem(
        "task", law_tables(6, seed=5), np.array([128, 64, 32, 32, 8, 4]), np.full(2, 100 * GIB), oracle
    )
    found = FusionCosts(shards=20).result(0, "set/task", problem)
    assert sorted(found.metrics) == [
        "fused_over_sum", "fused_over_sum_least", "fused_over_sum_most",
        *(f"split_over_whole_{dim}" for dim in (128, 32, 64, 8)),
    ]  # fmt: skip
    if isinstance(oracle, Adds):
        assert list(found.metrics.values()) == pytest.approx([1] * 7)
    else:
        assert found.metrics["fused_over_sum_least"] < found.metrics["fused_over_sum"] < 0.95
        assert 1.05 < found.metrics["split_over_whole_128"] < found.metrics["split_over_whole_32"]
    assert list((tmp_path / "figures" / "fusion").rglob("*.png"))


def test_shards_are_priced_in_their_order() -> None:
    tables = law_tables(3, seed=5)
    shards = [(np.array([0, 1]), np.array([8, 16])), (np.array([2]), np.array([4]))]
    assert costs_of(Adds(), tables, shards).tolist() == [24, 4]
    with pytest.raises(ConfigError, match=r"task.most is 1; give at least 2"):
        FusionCosts(most=1)
