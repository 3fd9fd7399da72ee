"""Costs of tables on devices: alone or beside the others, and devices told apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from models.sharding.table_surrogate import TableSurrogate
from runs.errors import ConfigError

FEATURES = torch.randn(6, 21, generator=torch.Generator().manual_seed(0))
TASK = ShardingProblem("task", law_tables(6, seed=3), np.full(6, 16), np.full(3, 10**12), gpu11())


@pytest.mark.parametrize("head", ["linear", "sinusoidal"])
@pytest.mark.parametrize("beside", [False, True])
def test_costs_follow_their_table_and_tell_devices_apart(head: str, beside: bool) -> None:
    torch.manual_seed(0)
    network = TableSurrogate(3, "sized", head, beside)
    costs = network(FEATURES).reshape(6, 3)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(network(FEATURES[order]).reshape(6, 3), costs[order], atol=1e-6)
    assert (costs[:, 0] != costs[:, 1]).all()
    changed = FEATURES.clone()
    changed[5] += 10
    assert torch.allclose(network(changed).reshape(6, 3)[:5], costs[:5]) == (not beside)


def test_features_are_on_the_scale_of_their_task_and_constant_ones_are_zero() -> None:
    (seen,) = TableSurrogate(3).encode(TASK)
    assert seen.shape == (6, 21)
    spread = seen.std(0, unbiased=False)
    assert ((spread - 1).abs() < 1e-5).sum() > 10
    assert torch.allclose(seen.mean(0), torch.zeros(21), atol=1e-6)
    assert (seen[:, spread < 0.5] == 0).all()
    assert TableSurrogate(3).latent(TASK).shape == (18,)


def test_other_devices_and_a_head_that_is_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="the prior is for 4 devices, and task has 3"):
        TableSurrogate(4).encode(TASK)
    with pytest.raises(ConfigError, match=r"model\.head is 'cubic'; choose sinusoidal, linear"):
        TableSurrogate(head="cubic")
