"""Predictors in closed form against their definitions."""

from __future__ import annotations

import pytest
import torch

from models.ssl.parts.direct_predictor import DirectPredictor
from runs.errors import ConfigError


def rows(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(64, 5, generator=generator, dtype=torch.float64) * torch.arange(1, 6)


def test_direct_pred_has_the_roots_of_the_spectrum_on_the_same_axes() -> None:
    predictor = DirectPredictor(5, memory=0.3, epsilon=0.01).double()
    predictor.update(rows(0))
    predictor.update(rows(1))
    first, second = (z.T @ z / 64 for z in (rows(0), rows(1)))
    correlation = 0.3 * 0.7 * first + 0.7 * second
    torch.testing.assert_close(predictor.correlation, correlation)
    values, vectors = torch.linalg.eigh(correlation)
    expected = vectors @ torch.diag((values / values[-1]).sqrt() + 0.01) @ vectors.T
    torch.testing.assert_close(predictor.weight, expected)
    torch.testing.assert_close(predictor(rows(2)), rows(2) @ expected)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_direct_set_is_a_power_of_the_correlation_over_its_norm(power: float) -> None:
    predictor = DirectPredictor(5, rule="set", memory=0.0, epsilon=0.3, power=power).double()
    predictor.update(rows())
    correlation = rows().T @ rows() / 64
    raised = torch.linalg.matrix_power(correlation, int(power))
    expected = raised / torch.linalg.matrix_norm(raised, 2) + 0.3 * torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(predictor.weight, expected)


def test_projections_that_are_all_zero_give_a_finite_predictor() -> None:
    predictor = DirectPredictor(5)
    predictor.update(torch.zeros(4, 5))
    torch.testing.assert_close(predictor.weight, 0.01 * torch.eye(5))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rule": "sett"}, "did you mean 'set'"), ({"memory": 1.0}, "memory of the predictor is 1.0")],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DirectPredictor(5, **options)
