"""Normalisation by measured statistics, in pieces and on two processes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.graphs.prenorm import Moments, Prenorm
from runs.local_processes import on_processes


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 40), max_size=4), shift=st.floats(-1e6, 1e6), seed=st.integers(0, 99))
def test_moments_of_pieces_are_those_of_the_whole(cuts: list[int], shift: float, seed: int) -> None:
    x = shift + torch.randn(40, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    moments = Moments(x[0])

    for piece in torch.tensor_split(x, sorted(cuts)):
        moments.update(piece)

    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.std, x.std(0, unbiased=False), rtol=1e-6, atol=0)


def test_constant_columns_are_divided_by_one_and_chosen_ones_pass() -> None:
    norm, x = Prenorm(3, unchanged=[1]), torch.tensor([[0.1, 5.0, 1.0], [0.1, 7.0, 3.0]])

    with norm.fitting():
        norm(x)

    torch.testing.assert_close(norm(x), torch.tensor([[0.0, 5.0, -1.0], [0.0, 7.0, 1.0]]))
    torch.testing.assert_close(norm(x + 1)[:, 0], torch.ones(2))


def test_without_shift_values_are_only_divided() -> None:
    norm, x = Prenorm(1, shift=False), torch.tensor([[1.0], [5.0]])

    with norm.fitting():
        norm(x)

    assert norm(x).flatten().tolist() == [0.5, 2.5]


def test_an_interrupted_fit_leaves_the_statistics_as_they_were() -> None:
    norm = Prenorm(1)

    with pytest.raises(KeyboardInterrupt), norm.fitting():
        norm(torch.tensor([[1.0], [5.0]]))
        raise KeyboardInterrupt

    assert norm(torch.tensor([[3.0]])).item() == 3.0


@pytest.mark.parametrize("first", [3, 10])
def test_two_processes_measure_what_one_does_though_one_may_have_nothing(first: int) -> None:
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    shares = [x[:first], x[first:]]

    def fit(rank: int) -> tuple[list[float], list[float]]:
        norm = Prenorm(2)
        with norm.fitting():
            norm(shares[rank])
        return norm.mean.tolist(), norm.std.tolist()

    one, two = on_processes(fit)

    assert one == two
    assert one[0] == pytest.approx(x.mean(0).tolist(), rel=1e-6)
    assert one[1] == pytest.approx(x.std(0, unbiased=False).tolist(), rel=1e-6)
