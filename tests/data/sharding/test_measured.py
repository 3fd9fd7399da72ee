"""Real kernels: right whatever they cost, and what they cost is measured once on a machine and never taken from another."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import data.sharding.oracles.measured
from data.sharding.lookups import fingerprint
from data.sharding.oracles.analytical import gpu11
from data.sharding.oracles.arena import Arena
from data.sharding.oracles.eager import Eager
from data.sharding.oracles.fbgemm import Fbgemm
from data.sharding.oracles.kernel import Kernel, Operation
from data.sharding.oracles.machine import this_machine
from data.sharding.oracles.measured import SENTINELS, Block, MeasuredOracle
from data.sharding.oracles.timing import Timing
from data.sharding.plan import Pieces
from data.sharding.table_law import LookupLaw
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, MissingDependency, SolverFailure

TABLE, DIM = np.array([0, 2, 1, 2]), np.array([16, 4, 64, 32])
QUICK = Timing(repeats=2, warmup=0, smallest=1, flush_mb=0, steady=1e9)
WATCHED = replace(QUICK, steady=0.1)


@pytest.fixture(scope="module")
def tables() -> EmbeddingTables:
    law = LookupLaw.of_sizes(np.array([300, 5000, 10**8]), np.array([3.0, 0.5, 8.0]), 32)
    return law.tables(["a", "b", "c"], 32)


def kernel_of(name: str) -> Kernel:
    if name == "eager":
        return Eager()
    pytest.importorskip("fbgemm_gpu", reason="fbgemm is not installed: the extra 'fbgemm' brings it")
    return Fbgemm()


def looked_up(kernel: Kernel, tables: EmbeddingTables) -> torch.Tensor:
    """The pooled embeddings by PyTorch, from the weights in the kernel's arena."""
    parts = []
    for table, dim in zip(TABLE.tolist(), DIM.tolist(), strict=True):
        name = fingerprint(tables, table)
        indices, offsets = kernel._lookups(tables, table, name)
        weight = kernel.arena.view(
            kernel.place(name, int(tables.rows[table]), dim, indices), int(tables.rows[table]), dim
        )
        rows = [weight[indices[offsets[i] : offsets[i + 1]]] for i in range(tables.batch)]
        expected = torch.stack([each.double().sum(0) for each in rows]).float()
        bag = functional.embedding_bag(indices, weight, offsets, mode="sum", include_last_offset=True)
        torch.testing.assert_close(bag, expected)
        parts.append(bag)
    return torch.cat(parts, 1)


@pytest.mark.parametrize("name", ["eager", "fbgemm"])
def test_forward_equals_embedding_bags_bit_for_bit_before_and_after_steps(name: str, tables: EmbeddingTables) -> None:
    kernel = kernel_of(name)
    operation = kernel.operation(tables, TABLE, DIM)
    assert operation.dim == 116
    for _ in range(2):
        assert torch.equal(torch.cat(operation.forward(), 1), looked_up(kernel, tables))
        operation.step()
        operation.forget()


def test_the_backward_pass_gives_each_row_the_gradients_of_its_lookups(tables: EmbeddingTables) -> None:
    operation: Any = Eager().operation(tables, TABLE[:1], DIM[:1])
    operation.step()
    (indices, offsets), gradient = operation.lookups[0], operation.gradients[0]
    expected = torch.zeros(300, 16).index_add(0, indices, gradient.repeat_interleave(offsets.diff(), dim=0))
    torch.testing.assert_close(operation.weights[0].grad.to_dense(), expected)
    operation.forget()
    assert operation.weights[0].grad is None


def test_a_kernel_travels_to_another_process_without_its_memory(tables: EmbeddingTables) -> None:
    kernel = Eager(seed=3, memory_gib=2)
    kernel.operation(tables, TABLE, DIM)
    again = pickle.loads(pickle.dumps(kernel))
    assert (again.seed, again.memory_gib) == (3, 2) and "arena" not in vars(again)


def test_places_of_tables_do_not_overlap_and_are_given_up_with_their_memory() -> None:
    arena = Arena(memory_gib=1e-5)
    first = arena.place("a", 100, 4, np.array([7, 7, 99]))
    second = arena.place("b", 10**8, 256, np.array([10**8 - 1]))
    assert arena.place("a", 100, 64, np.array([1])) == first and second >= first + 100 * 128
    assert arena.view(first, 100, 4)[99].all() and arena.view(second, 10**8, 256)[-1].all()
    arena.spare()
    assert not arena.view(first, 100, 4)[99].any()
    assert arena.place("b", 10, 4, np.array([0])) == 0


def test_without_fbgemm_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fbgemm_gpu.split_table_batched_embeddings_ops_training", None)
    with pytest.raises(MissingDependency, match=r"extra 'fbgemm'"):
        Fbgemm()
    with pytest.raises(ConfigError, match="device is 'tpu'; choose cpu"):
        Eager(device="tpu")


def test_what_counts_is_the_mean_of_the_smallest_or_the_median() -> None:
    raw = np.array([[5.0, 1, 9, 2, 3], [1, 1, 1, 1, 100]])
    assert Timing(repeats=5).estimate(raw).tolist() == [2, 1]
    assert Timing(repeats=5, smallest=None).estimate(raw).tolist() == [3, 1]
    with pytest.raises(ConfigError, match=r"timing.repeats is 0"):
        Timing(repeats=0)


def test_operations_take_turns_and_threads_are_given_back() -> None:
    order: list[int] = []

    class Noted(Operation):
        def __init__(self, number: int) -> None:
            self.number = number

        def forward(self) -> list[torch.Tensor]:
            raise AssertionError

        def step(self) -> None:
            assert torch.get_num_threads() == 1
            order.append(self.number)

    threads = torch.get_num_threads()
    raw = Timing(repeats=3, warmup=1, flush_mb=0).run([Noted(0), Noted(1), Noted(2)], "cpu")
    assert raw.shape == (3, 3) and (raw >= 0).all()
    assert [sorted(order[at : at + 3]) for at in range(0, 12, 3)] == [[0, 1, 2]] * 4
    assert torch.get_num_threads() == threads


class Counted(MeasuredOracle):
    """Counts the shards that are measured."""

    measured = 0

    def measure(self, tables: EmbeddingTables, shards: Any) -> Block:
        self.measured += len(shards)
        return super().measure(tables, shards)


PLANS = Pieces(np.array([0, 1, 2, 0, 1, 2, 1]), np.array([16, 8, 8, 16, 8, 8, 4]), np.array([0, 0, 1, 3, 2, 2, 2]))
"""Two plans on two devices."""


def test_a_shard_is_measured_once_whatever_its_order_and_its_names(tables: EmbeddingTables, tmp_path: Path) -> None:
    oracle = Counted(Eager(), gpu11(), QUICK, cache=tmp_path)
    costs = oracle.price(tables, PLANS, 2, plans=2)
    assert costs.compute.shape == (2, 2) and (costs.compute > 0).all() and oracle.measured == 4
    sums = np.array([[24.0, 8], [20, 16]])
    assert np.array_equal(costs.backward, gpu11().backward_communication(tables, sums))
    turned = Pieces(PLANS.table[::-1], PLANS.dim[::-1], PLANS.shard[::-1])
    again = Counted(Eager(), gpu11(), QUICK, cache=tmp_path)
    assert np.array_equal(again.price(tables.take([0, 1, 2]), turned, 2, plans=2).compute, costs.compute)
    assert again.measured == 0
    stored = list(tmp_path.rglob("*.artifact"))
    assert len(stored) == 4 + 1, "the shards and the sentinel"


def test_an_empty_shard_costs_nothing_and_is_not_measured(tables: EmbeddingTables) -> None:
    oracle = Counted(Eager(), gpu11(), QUICK)
    one = Pieces(np.array([0]), np.array([16]), np.array([1]))
    assert oracle.compute(tables, one, 3, 3)[[0, 2]].tolist() == [0, 0] and oracle.measured == 1
    none = Pieces(*[np.empty(0, np.int64)] * 3)
    assert oracle.compute(tables, none, 3, 3).tolist() == [0, 0, 0]


def test_a_cost_of_another_machine_is_never_used(
    tables: EmbeddingTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Pieces(np.array([0]), np.array([16]), np.array([0]))
    here = Counted(Eager(), gpu11(), QUICK, cache=tmp_path, machine=this_machine())
    here.compute(tables, one, 1, 1)
    for change in ({"processor": "another"}, {"memory_gib": 1.0}):
        hardware = data.sharding.oracles.machine.environment.hardware() | change
        monkeypatch.setattr(data.sharding.oracles.machine.environment, "hardware", lambda: hardware)  # noqa: B023
        there = Counted(Eager(), gpu11(), QUICK, cache=tmp_path)
        there.compute(tables, one, 1, 1)
        assert there.measured == 1 and there.identity() != here.identity()
        with pytest.raises(ConfigError, match=r"device.machine is .*; costs of another machine are not measured here"):
            MeasuredOracle(Eager(), gpu11(), machine=here.machine)
    other_timing = Counted(Eager(), gpu11(), replace(QUICK, repeats=1), cache=tmp_path)
    other_timing.compute(tables, one, 1, 1)
    assert other_timing.measured == 1


def drifting(speeds: list[tuple[float, float]]) -> Any:
    """Runs whose times in the two halves of the turns are these, and twice as much for all but the sentinel."""
    left = iter(speeds)

    def run(timing: Timing, operations: list[Any], device: str, seed: int = 0) -> np.ndarray:
        times = np.repeat(next(left), timing.repeats // 2)
        return np.array([times * (1 + (number >= SENTINELS)) for number in range(len(operations))])

    return run


SHARDS = [(np.array([table]), np.array([16])) for table in range(3)]


def test_a_block_is_dropped_in_which_the_sentinel_moves(
    tables: EmbeddingTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timing, "run", drifting([(1, 1.2), (2, 2.1), (1, 2), (1, 2), (1, 2), (3, 2)]))
    oracle = MeasuredOracle(Eager(), gpu11(), WATCHED)
    assert oracle.measure(tables, SHARDS[:1]).shards.tolist() == [[4, 4.2]], "a second attempt was steady"
    with pytest.raises(SolverFailure, match=r"moved from 1 to 2, from 1 to 2, from 1 to 2, from 3 to 2 ms"):
        oracle.measure(tables, SHARDS[:1])


def test_costs_are_those_at_the_speed_of_the_first_block(
    tables: EmbeddingTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timing, "run", drifting([(1, 1), (3, 3)]))
    two = Pieces(np.array([0, 1]), np.array([16, 16]), np.array([0, 1]))
    assert MeasuredOracle(Eager(), gpu11(), QUICK, tmp_path, block=1).compute(tables, two, 2, 2).tolist() == [2, 2]
    assert MeasuredOracle(Eager(), gpu11(), QUICK, tmp_path).compute(tables, two, 2, 2).tolist() == [2, 2]
