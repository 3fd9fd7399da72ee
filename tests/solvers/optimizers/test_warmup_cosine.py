"""The schedule against lightly's values and its own ends."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.errors import ConfigError
from solvers.optimizers.warmup_cosine import WarmupCosine, warmup_cosine

FILE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ssl" / "reference_losses.npz"


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is missing; set REPRISE_DATA")
def test_the_factors_are_those_of_lightly_which_ends_at_a_thousandth() -> None:
    ours = [warmup_cosine(step, 100, 10, end=1e-3) for step in range(100)]
    np.testing.assert_allclose(ours, np.load(FILE)["warmup_cosine_10_100"], rtol=1e-12)


@settings(max_examples=60)
@given(steps=st.integers(1, 200), share=st.floats(0, 1), end=st.floats(0, 1))
def test_the_rate_rises_to_one_and_falls_to_the_end(steps: int, share: float, end: float) -> None:
    warmup = int(share * steps)
    factors = [warmup_cosine(step, steps, warmup, end) for step in range(steps + 3)]
    assert factors[:warmup] == sorted(factors[:warmup])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)
    assert max(factors[:steps]) == 1
    if steps > warmup + 1:
        assert factors[steps - 1] == pytest.approx(end) and factors[-1] == pytest.approx(end)


def test_each_group_is_scaled_from_its_own_rate() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)
    schedule = WarmupCosine(optimizer, steps=8, warmup=2)
    for step in range(8):
        assert schedule.get_last_lr() == pytest.approx([warmup_cosine(step, 8, 2) * lr for lr in (1.0, 0.1)])
        optimizer.step()
        schedule.step()


def test_a_restored_schedule_goes_on_where_it_stopped() -> None:
    def fresh() -> WarmupCosine:
        return WarmupCosine(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5), steps=9, warmup=3)

    one, other = fresh(), fresh()
    for _ in range(5):
        one.optimizer.step()
        one.step()
    other.load_state_dict(one.state_dict())
    for schedule in (one, other):
        schedule.optimizer.step()
        schedule.step()
    assert one.get_last_lr() == other.get_last_lr() == [0.5 * warmup_cosine(6, 9, 3)]


@pytest.mark.parametrize(
    ("options", "words"), [({"steps": 0}, "steps.* 0"), ({"warmup": 11}, "warmup.* 11"), ({"end": 2.0}, r"end.* 2\.0")]
)
def test_schedules_that_make_no_sense_are_refused(options: dict, words: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    with pytest.raises(ConfigError, match=words):
        WarmupCosine(optimizer, **{"steps": 10, **options})
