"""A user's cost: its value and gradient, where it is loaded from, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data.torch_cost import TorchCost, load_cost
from runs.errors import ConfigError, InvalidProblem


def test_value_and_gradient_are_the_function_s_own_a_row_at_a_time() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    found = TorchCost(lambda x: (x**3).sum() * x[0]).query(x)
    np.testing.assert_allclose(found.values, (x**3).sum(axis=1) * x[:, 0])
    expected = 3 * x**2 * x[:, :1]
    expected[:, 0] += (x**3).sum(axis=1)
    np.testing.assert_allclose(found.gradients, expected)
    np.testing.assert_array_equal(TorchCost(lambda x: (x**3).sum() * x[0]).values(x), found.values)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (lambda x: x * 2, r"gives of shape \(3,\); expected a scalar"),
        (lambda x: float(x.sum()), "gives a float; expected a scalar"),
        (lambda x: torch.tensor(float(x.sum())), r"'<lambda>' has no gradient in x.*without \.item\(\)"),
        (lambda x: torch.ones((), requires_grad=True) * 2, "has no gradient in x"),
    ],
)
def test_a_cost_without_a_scalar_or_a_gradient_is_named(cost: Callable[..., torch.Tensor], message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        TorchCost(cost).query(np.zeros((1, 3)))


def test_a_cost_is_loaded_from_a_file_or_a_module(tmp_path: Path) -> None:
    path = tmp_path / "costs.py"
    path.write_text("import torch\n\ndef risk(x):\n    return torch.sqrt(1 + (x ** 2).sum())\n")
    assert load_cost(f"{path}:risk")(torch.zeros(2)) == 1
    assert load_cost("torch:sum") is torch.sum
    for place, message in (
        ("risk", "expected FILE.py:function"),
        (f"{path}:rsk", "has no function 'rsk'; did you mean 'risk'"),
        (f"{tmp_path}/none.py:risk", "there is no file"),
        ("no_such_module:risk", "ModuleNotFoundError"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_cost(place)
