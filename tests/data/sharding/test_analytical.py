"""The device of formulas: against the stored reference, by hand, and what holds whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from data.sharding.oracles.analytical import AnalyticalDevice, OuterLinks, gpu11, nvlink
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError


def pieces(table: list[int], dim: list[int], shard: list[int]) -> Pieces:
    return Pieces(np.array(table), np.array(dim), np.array(shard))


@pytest.mark.parametrize(("device", "ending"), [(gpu11(), ""), (nvlink(), "_nvlink")])
def test_computation_is_that_of_the_reference(
    reference: dict[str, np.ndarray], reference_tables: EmbeddingTables, device: AnalyticalDevice, ending: str
) -> None:
    held = reference["shard_tables"] >= 0
    shard = np.repeat(np.arange(len(held)), held.sum(1))
    stored = Pieces(reference["shard_tables"][held], reference["shard_dims"][held].astype(np.int64), shard)
    found = device.compute(reference_tables, stored, len(held), len(held))
    np.testing.assert_allclose(found, reference[f"shard_ms{ending}"], rtol=1e-9)


@pytest.mark.parametrize(("device", "ending", "count"), [(gpu11(), "", 4), (gpu11(), "", 8), (nvlink(), "_nvlink", 4)])
def test_communication_is_that_of_the_reference(
    reference: dict[str, np.ndarray],
    reference_tables: EmbeddingTables,
    device: AnalyticalDevice,
    ending: str,
    count: int,
) -> None:
    dims, start = reference[f"comm{count}_dims"], reference[f"comm{count}_start"]
    forward = device.forward_communication(reference_tables, dims, start)
    np.testing.assert_allclose(forward, reference[f"comm{count}_forward_ms{ending}"], rtol=1e-9)
    backward = device.backward_communication(reference_tables, dims)
    np.testing.assert_allclose(backward, reference[f"comm{count}_backward_ms{ending}"], rtol=1e-9)


def test_one_table_by_hand() -> None:
    """Two rows in the bin of 3 to 4, seven lookups, dimension 16, all of it in the cache."""
    unique, lookups = np.zeros((1, 17)), np.zeros((1, 17))
    unique[0, 2], lookups[0, 2] = 2, 7
    tables = EmbeddingTables(("a",), np.array([9]), np.array([7 / 8]), unique, lookups, np.array([4.0]), 8)
    device = AnalyticalDevice(1000, 10, 100, 5, 4, 3, launch=0.5, conflict=0.25, latency=1, link_rate=1)
    read, memory = 7 * 64, 7 * 64 - 5 * 64
    issued = 7 * 1.75 * 32 / 128
    forward = 0.5 + ((memory / 10) ** 4 + (read / 100) ** 4 + (issued / 5) ** 4) ** 0.25 + 4 * 8 * 16 / 10
    slow = (2 * 2 * 64 + memory / 2) / 10
    backward = 2 * 0.5 + 7 / 3 + (slow**4 + (read / 100) ** 4 + (issued / 4) ** 4 + (4 * 0.25) ** 4) ** 0.25
    assert device.compute(tables, pieces([0], [16], [0]), 1, 1)[0] == pytest.approx(forward + backward)


def test_two_devices_by_hand() -> None:
    device = AnalyticalDevice(1, 1, 1, 1, 1, 1, launch=1, conflict=1, latency=3, link_rate=2)
    none = np.zeros((1, 17))
    tables = EmbeddingTables(("a",), np.array([9]), np.array([1.0]), none, none, np.array([0.0]), 8)
    sums, start = np.array([[8.0, 24.0]]), np.array([[0.0, 5.0]])
    sent, received = 16 * sums, 16 * sums[:, ::-1]
    slowest = np.maximum(sent, received).max() / 2
    np.testing.assert_allclose(device.forward_communication(tables, sums, start), [[3 + slowest + 5, 3 + slowest]])
    np.testing.assert_allclose(device.backward_communication(tables, sums), [[3 + slowest, 3 + slowest]])


def test_plans_priced_together_cost_what_they_cost_alone(pool: EmbeddingTables) -> None:
    rng = np.random.default_rng(0)
    plans = [
        Pieces(rng.integers(40, size=n), 4 * rng.integers(1, 33, size=n), rng.integers(4, size=n)) for n in (3, 20, 1)
    ]
    together = gpu11().price(pool, Pieces.of_plans(plans, 4), 4, plans=3)
    for number, plan in enumerate(plans):
        alone = gpu11().price(pool, plan, 4)
        for part in ("compute", "backward", "forward"):
            np.testing.assert_allclose(getattr(together, part)[number], getattr(alone, part)[0], rtol=1e-12)
        assert together.plan[number] == pytest.approx(alone.device.max())


def test_devices_end_together_so_only_the_largest_start_counts(pool: EmbeddingTables) -> None:
    plan = pieces([1, 2, 3, 4], [64, 32, 128, 16], [0, 1, 2, 2])
    costs = gpu11().price(pool, plan, 4)
    np.testing.assert_allclose(costs.device, costs.device[0, 0])
    together = gpu11(skew=False).price(pool, plan, 4)
    assert np.ptp(together.device) > 0.1
    assert together.plan[0] < costs.plan[0] + 1e-12


def test_an_empty_shard_computes_nothing_and_fusing_saves(pool: EmbeddingTables) -> None:
    compute = gpu11().compute(pool, pieces([0, 1, 0, 1], [32, 32, 32, 32], [0, 0, 1, 2]), 4, 4)
    assert compute[3] == 0
    assert 0 < compute[0] < compute[1] + compute[2]


def test_devices_may_differ(pool: EmbeddingTables) -> None:
    slow, fast = gpu11(), nvlink()
    mixed = AnalyticalDevice(**{name: [float(slow.limits[name]), float(fast.limits[name])] for name in slow.limits})
    plan = pieces([0, 1], [64, 64], [0, 1])
    expected = [slow.compute(pool, plan, 2, 2)[0], fast.compute(pool, plan, 2, 2)[1]]
    np.testing.assert_allclose(mixed.compute(pool, plan, 2, 2), expected)
    with pytest.raises(ConfigError, match=r"device\.cache has 2 values, and there are 3 devices"):
        mixed.compute(pool, plan, 3, 3)


def test_a_limit_that_is_not_positive_is_named() -> None:
    with pytest.raises(ConfigError, match=r"device\.link_rate is 0"):
        AnalyticalDevice(1, 1, 1, 1, 1, 1, 1, 1, 1, 0)


def linked(*outer: OuterLinks) -> AnalyticalDevice:
    device = gpu11()
    device.outer = outer
    return device


def test_links_of_two_levels_by_hand(pool: EmbeddingTables) -> None:
    """Two hosts of two devices: all of a host's load first within it, then its half of the host's to the other."""
    dims = np.array([[64.0, 32.0, 16.0, 0.0]])
    device = linked(OuterLinks(2, latency=0.5, link_rate=1e6))
    per_dim = 4 * pool.batch / 4
    within = per_dim * 2 * np.array([64, 64, 16, 16])  # the larger of what is sent and received, for two hosts each
    between = per_dim * np.array([96, 96, 96, 96])
    expected = 0.05 + within.max() / 6e6 + 0.5 + between.max() / 1e6
    found = device.forward_communication(pool, dims, np.zeros((1, 4)))
    np.testing.assert_allclose(found, np.full((1, 4), expected))
    backward = device.backward_communication(pool, dims)
    expected_each = 0.55 + np.maximum(within, within.max() / 2) / 6e6 + between / 1e6
    np.testing.assert_allclose(backward, expected_each[None])


def test_one_group_is_no_level(pool: EmbeddingTables) -> None:
    dims, start = np.array([[64.0, 32.0, 16.0, 0.0]]), np.array([[0.0, 3.0, 1.0, 2.0]])
    plain, one = gpu11(), linked(OuterLinks(4, latency=9.0, link_rate=1.0))
    found = one.forward_communication(pool, dims, start)
    np.testing.assert_allclose(found, plain.forward_communication(pool, dims, start))
    np.testing.assert_allclose(one.backward_communication(pool, dims), plain.backward_communication(pool, dims))


def test_groups_that_devices_cannot_form_are_refused() -> None:
    with pytest.raises(ConfigError, match="groups of 3 devices, and 4 cannot"):
        linked(OuterLinks(3, 1.0, 1.0)).check(4)
    with pytest.raises(ConfigError, match=r"device\.outer\.link_rate is 0"):
        OuterLinks(2, 1.0, 0)
