"""The moving average of weights and buffers, and its schedule."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.encoders.dropout import SharedDropout
from models.ssl.parts.momentum import MomentumCopy, cosine_momentum
from runs.errors import ConfigError

FILE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ssl" / "reference_losses.npz"


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), SharedDropout(0.5))


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is missing; set REPRISE_DATA")
def test_the_schedule_is_lightlys() -> None:
    values = json.loads(str(np.load(FILE)["meta"]))["values"]["ema_cosine"]
    for step, expected in values.items():
        assert cosine_momentum(int(step), 100, 0.99) == pytest.approx(expected, abs=1e-15)


def test_the_schedule_of_one_step_is_at_its_end_and_stays_there_afterwards() -> None:
    assert cosine_momentum(0, 1, 0.5, 0.9) == 0.9
    assert cosine_momentum(12, 10, 0.5, 0.9) == pytest.approx(0.9)


def test_weights_average_and_the_online_network_does_not_move() -> None:
    online = network()
    target = MomentumCopy(online)
    start = [p.clone() for p in online.parameters()]
    with torch.no_grad():
        for parameter in online.parameters():
            parameter.add_(1)
    target.update(online, 0.9)
    for first, ours, theirs in zip(start, target.parameters(), online.parameters(), strict=True):
        torch.testing.assert_close(ours, first + 0.1)
        torch.testing.assert_close(theirs, first + 1)


@pytest.mark.parametrize(("rule", "share"), [("copy", 1.0), ("average", 0.25)])
def test_buffers_are_copied_or_averaged(rule: str, share: float) -> None:
    online = network()
    target = MomentumCopy(online, buffers=rule)  # type: ignore[arg-type]
    online(5 + torch.randn(20, 3))
    before = target.module[1].running_mean.clone()
    target.update(online, 0.75)
    expected = before + share * (online[1].running_mean - before)
    torch.testing.assert_close(target.module[1].running_mean, expected)
    assert target.module[1].num_batches_tracked == online[1].num_batches_tracked == 1


def test_the_target_has_no_gradient_and_drops_nothing() -> None:
    online = network()
    target, x = MomentumCopy(online), torch.randn(6, 3)
    assert not any(p.requires_grad for p in target.parameters())
    output = target(x)
    assert not output.requires_grad
    assert (output != 0).all(), "dropout is off in the target"
    assert (online(x) == 0).any(), "and on in the online network"


def test_the_target_survives_a_checkpoint() -> None:
    online = network()
    target = MomentumCopy(online)
    with torch.no_grad():
        online[0].weight.add_(1)
    target.update(online, 0.5)
    restored = MomentumCopy(network())
    restored.load_state_dict(target.state_dict())
    assert torch.equal(restored.module[0].weight, target.module[0].weight)


def test_an_unknown_rule_for_buffers_is_refused() -> None:
    with pytest.raises(ConfigError, match="'skip'"):
        MomentumCopy(network(), buffers="skip")  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [(-0.1, 1.0), (0.9, 1.1)])
def test_a_momentum_outside_its_range_is_refused(start: float, end: float) -> None:
    with pytest.raises(ConfigError, match=f"from {start} to {end}"):
        cosine_momentum(0, 10, start, end)
