"""Cost networks: what they must not depend on, shapes, and constants that travel with the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.encoders.mlp import Standardize, mlp
from models.regressor import Regressor
from models.sharding.affine import AffineCost
from models.sharding.communication import CommunicationCost
from models.sharding.compute import ComputeCost
from models.sharding.sum_of_pieces import SumOfPieces


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
@pytest.mark.parametrize("network", [ComputeCost(), AffineCost(20)], ids=["network", "affine"])
def test_a_shard_costs_the_same_in_any_order_and_beside_any_other(network: SumOfPieces) -> None:
    features = torch.randn(6, 20, generator=seeded()).double()
    network = network.double()
    pieces = torch.tensor([[0, 1, 2, 2], [-1, -1, -1, -1], [3, 4, -1, -1], [5, -1, -1, -1]])
    found = network(features, pieces)
    torch.testing.assert_close(network(features, pieces[:, [2, 3, 0, 1]]), found)
    torch.testing.assert_close(network(features[:3], pieces[:1]), found[:1])
    assert found[1] == 0
    alone = network.price(network.encode(features[3:5]).sum(0, keepdim=True))
    assert float(alone[0]) == pytest.approx(float(found[2]))


def test_inputs_are_standardised_over_the_pieces_that_occur_each_once() -> None:
    features = torch.randn(5, 3, generator=seeded())
    network = ComputeCost(["a", "b", "c"])
    network.fit_inputs(features, torch.tensor([[0, 0, 0], [0, 3, -1]]))
    torch.testing.assert_close(network.standardize.mean, features[[0, 3]].mean(0))
    assert network.names == ("a", "b", "c") and network.features == 3


def test_least_squares_finds_an_affine_law_and_has_nothing_to_descend() -> None:
    generator = seeded()
    features = torch.rand(30, 3, generator=generator) * torch.tensor([1.0, 1e3, 1e-3])
    pieces = torch.randint(-1, 30, (200, 5), generator=generator)
    pieces[:, 0] = pieces[:, 0].clamp_min(0)
    sums = torch.stack([features[row[row >= 0]].sum(0) for row in pieces])
    targets = sums @ torch.tensor([2.0, -0.5, 30.0]) + 7
    regressor = Regressor(AffineCost(3))
    assert not list(regressor.parameters())
    regressor.fit({"features": features, "pieces": pieces}, targets)
    torch.testing.assert_close(regressor(features=features, pieces=pieces), targets, rtol=1e-4, atol=1e-2)


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
