"""Costs of tables on devices: alone or beside the others, and devices told apart."""

from __future__ import annotations

import pytest
import torch

from models.sharding.table_surrogate import TableSurrogate
from runs.errors import ConfigError

FEATURES = torch.randn(6, 21, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("head", ["linear", "sinusoidal"])
@pytest.mark.parametrize("beside", [False, True])
def test_costs_lie_between_zero_and_one_follow_their_table_and_tell_devices_apart(head: str, beside: bool) -> None:
    torch.manual_seed(0)
    network = TableSurrogate(21, 3, head, beside)
    costs = network(FEATURES)
    assert costs.shape == (6, 3) and ((costs > 0) & (costs < 1)).all()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(network(FEATURES[order]), costs[order], atol=1e-6)
    assert (costs[:, 0] != costs[:, 1]).all()
    changed = FEATURES.clone()
    changed[5] += 10
    assert torch.allclose(network(changed)[:5], costs[:5]) == (not beside)


def test_a_head_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.head is 'cubic'; choose sinusoidal, linear"):
        TableSurrogate(head="cubic")
