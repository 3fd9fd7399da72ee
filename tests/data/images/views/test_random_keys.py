"""The counter-based generator: known answers, uniformity, independence of order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from data.images.views.random_keys import philox, uniforms
from runs.errors import ConfigError

KNOWN_ANSWERS = [  # counter, key, output of Philox4x32-10 as published with Random123
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN_ANSWERS)
def test_philox_gives_its_published_answers(counter: tuple, key: tuple, output: tuple) -> None:
    words = philox(tuple(torch.tensor([word]) for word in counter), key)
    assert tuple(int(word) for word in words) == output


@given(
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 2**32 - 1),
    sample=st.integers(0, 2**32 - 1),
    view=st.integers(0, 9),
)
@settings(max_examples=50)
def test_numbers_of_a_sample_do_not_depend_on_the_rest_of_the_batch(
    seed: int, epoch: int, sample: int, view: int
) -> None:
    alone = uniforms(seed, epoch, torch.tensor([sample]), view, 7)
    among = uniforms(seed, epoch, torch.tensor([5, sample, 9]), view, 9)
    assert torch.equal(alone[0], among[1, :7])
    assert ((alone >= 0) & (alone < 1)).all()


@pytest.mark.parametrize("change", ["seed", "epoch", "view", "purpose", "sample"])
def test_numbers_are_uniform_and_uncorrelated_when_one_key_changes(change: str) -> None:
    key = {"seed": 3, "epoch": 1, "view": 0, "purpose": 0}
    samples = torch.arange(20_000)
    first = uniforms(samples=samples, count=2, **key)[:, 0].numpy()
    other = samples + 20_000 if change == "sample" else samples
    second = uniforms(samples=other, count=2, **(key | ({} if change == "sample" else {change: key[change] + 1})))
    for numbers in (first, second[:, 0].numpy(), second[:, 1].numpy()):
        assert stats.kstest(numbers, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(first, second[:, 0].numpy())[0, 1]) < 4 / np.sqrt(len(first))


@pytest.mark.parametrize("name", ["seed", "epoch", "view", "purpose"])
def test_keys_out_of_range_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is -1"):
        uniforms(**({"seed": 0, "epoch": 0, "view": 0, "purpose": 0} | {name: -1}), samples=torch.arange(3), count=1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_a_gpu_draws_the_same_numbers() -> None:
    samples = torch.arange(1000)
    assert torch.equal(uniforms(2**63 + 1, 5, samples.cuda(), 1, 9).cpu(), uniforms(2**63 + 1, 5, samples, 1, 9))
