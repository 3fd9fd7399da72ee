"""AutoShard's and DreamShard's networks: devices are alike, acting and learning are one function, shapes are the papers'."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from models.sharding.auto_shard import AutoShard
from models.sharding.dream_shard import DreamShard
from models.sharding.partial_plans import PartialPlans, device_sums, encodings, next_encoding

STEPS, EPISODES, TABLES, DEVICES, KINDS = 6, 3, 5, 4, 9


def plans(seed: int = 0) -> tuple[Tensor, PartialPlans, Tensor]:
    """Features of all kinds, some partial plans, and where episodes begin."""
    draw = torch.Generator().manual_seed(seed)
    shape = (STEPS, EPISODES)

    def whole(low: int, high: int, *more: int) -> Tensor:
        return torch.randint(low, high, (*shape, *more), generator=draw)

    pieces = torch.where(torch.arange(TABLES) < whole(2, TABLES + 1)[..., None], whole(0, KINDS, TABLES), -1)
    device = torch.where(pieces < 0, -1, whole(-1, DEVICES, TABLES))
    legal = torch.rand((*shape, DEVICES), generator=draw) < 0.7
    legal[..., 0] = True
    real = (torch.rand(size, generator=draw) for size in (shape, (*shape, DEVICES)))
    features = torch.randn(KINDS, 21, generator=draw)
    return features, PartialPlans(pieces, device, whole(0, 2), *real, legal), torch.rand(shape, generator=draw) < 0.3


@pytest.fixture(params=[AutoShard, DreamShard])
def network(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(1)
    return request.param()


def test_sums_are_those_of_a_loop() -> None:
    features, partial, _ = plans()
    encode = torch.nn.Linear(21, 7)
    encoded = encodings(encode, features, partial.pieces)
    sums, following = device_sums(encoded, partial), next_encoding(encoded, partial)
    for t in range(STEPS):
        for e in range(EPISODES):
            for d in range(DEVICES):
                held = [int(p) for p, on in zip(partial.pieces[t, e], partial.device[t, e], strict=True) if on == d]
                expected = encode(features[held]).sum(0) if held else torch.zeros(7)
                assert torch.allclose(sums[t, e, d], expected, atol=1e-5)
            row = partial.pieces[t, e, partial.table[t, e]]
            assert torch.allclose(following[t, e], encode(features[row]), atol=1e-6)


def test_devices_have_no_numbers(network: Any) -> None:
    features, partial, begins = plans()
    order = torch.tensor([2, 0, 3, 1])
    moved = torch.where(partial.device < 0, -1, order.argsort()[partial.device])
    same = partial._replace(device=moved, gib=partial.gib[..., order], legal=partial.legal[..., order])
    logits, values, _ = network(features, partial, begins, None)
    permuted, unchanged, _ = network(features, same, begins, None)
    assert torch.allclose(permuted, logits[..., order], atol=1e-5)
    assert torch.allclose(unchanged, values, atol=1e-5)
    assert torch.equal(logits == -torch.inf, ~partial.legal)


def test_a_sequence_is_decided_as_its_steps_are(network: Any) -> None:
    features, partial, begins = plans()
    logits, values, _ = network(features, partial, begins, None)
    memory = None
    for t in range(STEPS):
        one = PartialPlans(*(part[t : t + 1] for part in partial))
        step, value, memory = network(features, one, begins[t : t + 1], memory)
        assert torch.allclose(step[0], logits[t], atol=1e-5)
        assert torch.allclose(value[0], values[t], atol=1e-5)


def test_nothing_before_an_episode_is_remembered() -> None:
    torch.manual_seed(1)
    network, (features, partial, begins) = AutoShard(), plans()
    begins[3] = True
    late = PartialPlans(*(part[3:] for part in partial))
    logits, _, _ = network(features, partial, begins, None)
    alone, _, _ = network(features, late, begins[3:], None)
    assert torch.allclose(logits[3:], alone, atol=1e-5)


def test_a_policy_gradient_leaves_the_costs_of_dream_shard_alone() -> None:
    network, (features, partial, begins) = DreamShard(), plans()
    logits, _, _ = network(features, partial, begins, None)
    logits[partial.legal].sum().backward()
    assert all(parameter.grad is None for parameter in network.costs.parameters())
    assert network.policy.weight.grad is not None


def test_networks_have_as_many_weights_as_the_authors() -> None:
    def layers(*widths: int) -> int:
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))

    lstm = 2 * 4 * 64 * (64 + 64 + 2)
    auto = (
        layers(21, 128, 32)
        + 2 * 32
        + 3 * 32
        + lstm
        + layers(192, 128, 128, 64, 1)
        + layers(64, 64, 1)
        + layers(32, 64, 1)
    )
    dream = 2 * layers(21, 128, 32) + 4 * layers(32, 64, 1) + layers(3, 64, 32) + 65
    for network, expected in ((AutoShard(), auto), (DreamShard(), dream)):
        assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_an_empty_plan_costs_what_the_heads_say_of_nothing() -> None:
    costs = DreamShard().costs
    empty = torch.zeros(2, DEVICES, 32)
    assert torch.equal(costs.plan(empty), costs.overall(torch.zeros(2, 32)).squeeze(-1))
    assert costs.parts(empty).shape == (2, DEVICES, 3)
