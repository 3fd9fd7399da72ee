"""LARS against lightly's implementation, its formula and plain SGD."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from runs.errors import ConfigError
from solvers.optimizers.lars import LARS

FILE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ssl" / "reference_losses.npz"
reference = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is missing; set REPRISE_DATA")


def stepped(optimizer: torch.optim.Optimizer, gradients: list[list[torch.Tensor]]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()


@reference
def test_three_steps_are_those_of_lightly() -> None:
    data = np.load(FILE)
    settings = json.loads(str(data["meta"]))["values"]["lars"]
    matrix, bias = (torch.nn.Parameter(torch.from_numpy(data[f"lars_{name}0"])) for name in "wb")
    optimizer = LARS(
        [matrix, bias],
        lr=settings["lr"],
        momentum=settings["momentum"],
        weight_decay=settings["weight_decay"],
        eta=settings["trust_coefficient"],
        eps=settings["eps"],
    )
    gradients = [[torch.from_numpy(data["lars_gw"][i]), torch.from_numpy(data["lars_gb"][i])] for i in range(3)]
    stepped(optimizer, gradients)
    torch.testing.assert_close(matrix.detach(), torch.from_numpy(data["lars_w3"]), rtol=1e-10, atol=0)
    torch.testing.assert_close(bias.detach(), torch.from_numpy(data["lars_b3"]), rtol=1e-10, atol=0)


@pytest.mark.parametrize("clip", [False, True])
def test_two_steps_are_the_formula_with_and_without_clipping(clip: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    start, *gradients = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    lr, eta, decay = 0.05, 0.02, 0.1
    w, v = start.clone(), torch.zeros_like(start)
    for g in gradients:
        r = eta * w.norm() / (g.norm() + decay * w.norm() + 1e-8)
        if clip:
            r = min(r / lr, 1)
        v = 0.9 * v + r * (g + decay * w)
        w = w - lr * v
    parameter = torch.nn.Parameter(start.clone())
    stepped(LARS([parameter], lr, weight_decay=decay, eta=eta, clip=clip), [[g] for g in gradients])
    torch.testing.assert_close(parameter.detach(), w)


def test_clipped_rates_that_exceed_the_learning_rate_make_it_sgd() -> None:
    generator = torch.Generator().manual_seed(2)
    start, *gradients = torch.randn(4, 4, 5, generator=generator, dtype=torch.float64)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    stepped(LARS([ours], 0.1, weight_decay=0.01, eta=100.0, clip=True), [[g] for g in gradients])
    stepped(torch.optim.SGD([theirs], 0.1, momentum=0.9, weight_decay=0.01), [[g] for g in gradients])
    torch.testing.assert_close(ours, theirs)


def test_biases_move_as_with_sgd_without_decay() -> None:
    generator = torch.Generator().manual_seed(3)
    start, *gradients = torch.randn(4, 6, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    stepped(LARS([ours], 0.1, weight_decay=0.5), [[g] for g in gradients])
    stepped(torch.optim.SGD([theirs], 0.1, momentum=0.9), [[g] for g in gradients])
    torch.testing.assert_close(ours, theirs)


def test_zero_weights_and_zero_gradients_stay_finite() -> None:
    empty, idle = (torch.nn.Parameter(torch.full((2, 2), value)) for value in (0.0, 1.0))
    stepped(LARS([empty, idle], 0.1), [[torch.ones(2, 2), torch.zeros(2, 2)]])
    torch.testing.assert_close(empty.detach(), torch.full((2, 2), -0.1))
    torch.testing.assert_close(idle.detach(), torch.ones(2, 2))


def test_a_restored_optimiser_goes_on_as_if_it_had_not_stopped() -> None:
    generator = torch.Generator().manual_seed(4)
    start, *gradients = torch.randn(5, 3, 3, generator=generator)
    through, stopped = (torch.nn.Parameter(start.clone()) for _ in range(2))
    stepped(LARS([through], 0.1, eta=0.02), [[g] for g in gradients])
    first = LARS([stopped], 0.1, eta=0.02)
    stepped(first, [[g] for g in gradients[:2]])
    second = LARS([stopped], 0.7)
    second.load_state_dict(first.state_dict())
    stepped(second, [[g] for g in gradients[2:]])
    assert torch.equal(through, stopped)


@pytest.mark.parametrize(("name", "value"), [("lr", -0.1), ("momentum", 1.0), ("weight_decay", -1.0), ("eta", -0.1)])
def test_settings_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"optimizer\.{name} of LARS is {value}"):
        LARS([torch.nn.Parameter(torch.ones(2, 2))], **{"lr": 0.1, name: value})
