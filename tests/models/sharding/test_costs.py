"""Cost networks: what they must not depend on, shapes, and constants that travel with the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.encoders.mlp import Standardize, mlp
from models.sharding.communication import CommunicationCost
from models.sharding.compute import ComputeCost


def seeded(seed: int = 0) -> torch.Generator:
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def test_layers_have_an_activation_between_and_after_the_last_if_told() -> None:
    assert [type(layer) for layer in mlp([3, 5, 2])] == [nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in mlp([3, 5, 2], active=True)] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU]


def test_standardised_samples_have_mean_0_and_spread_1_and_the_constants_are_saved() -> None:
    samples = torch.randn(500, 3, generator=seeded()) * torch.tensor([1.0, 100.0, 0.0]) + 7
    module = Standardize(3)
    module.fit(samples)
    out = module(samples)
    torch.testing.assert_close(out.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(out.std(0, unbiased=False)[:2], torch.ones(2), atol=1e-3, rtol=0)
    other = Standardize(3)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(samples), out)


@torch.no_grad()
def test_a_shard_costs_the_same_in_any_order_and_beside_any_other() -> None:
    generator = seeded()
    network, pieces = ComputeCost().double(), torch.randn(6, 20, generator=generator).double()
    shard = torch.tensor([0, 0, 0, 2, 2, 3])
    found = network(pieces, shard, 5)
    order = torch.tensor([4, 2, 5, 0, 3, 1])
    torch.testing.assert_close(network(pieces[order], shard[order], 5), found)
    torch.testing.assert_close(network(pieces[:3], torch.zeros(3, dtype=torch.long), 1), found[:1])
    assert found[1] == found[4] == 0
    assert network.price(network.encode(pieces[3:5]).sum(0, keepdim=True))[0] == pytest.approx(float(found[2]))


@pytest.mark.parametrize("starts", [False, True])
def test_ordered_devices_may_be_numbered_in_any_way(starts: bool) -> None:
    generator = seeded()
    network = CommunicationCost(4, starts, ordered=True)
    sums, start = torch.rand(8, 4, generator=generator), torch.rand(8, 4, generator=generator)
    network.standardize.fit(network.inputs(sums, start if starts else None))
    order = torch.tensor([2, 0, 3, 1])
    given = (sums, start) if starts else (sums,)
    torch.testing.assert_close(network(*(x[:, order] for x in given)), network(*given)[:, order])
    plain = CommunicationCost(4, starts)
    assert not torch.allclose(plain(*(x[:, order] for x in given)), plain(*given)[:, order])


def test_widths_are_those_of_the_paper() -> None:
    shapes = [tuple(layer.weight.shape) for layer in ComputeCost().modules() if isinstance(layer, nn.Linear)]
    assert shapes == [(128, 20), (32, 128), (64, 32), (1, 64)]
    shapes = [
        tuple(layer.weight.shape) for layer in CommunicationCost(8, True).modules() if isinstance(layer, nn.Linear)
    ]
    assert shapes == [(128, 16), (64, 128), (32, 64), (16, 32), (8, 16)]
    assert np.isfinite(CommunicationCost(8, False)(torch.zeros(2, 8)).detach().numpy()).all()
