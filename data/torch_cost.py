"""A cost written as a function of torch, with its gradient by autograd (docs/papers/surco.md#3.8)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from data.queried import Queried
from runs.errors import ConfigError, InvalidProblem, nearest

Cost = Callable[[torch.Tensor], torch.Tensor]
"""From x (variables,) in double precision to a scalar."""


class TorchCost:
    """Value and gradient of a user's function, row by row.

    Parameters
    ----------
    cost
        The function.
    name
        What messages call it; by default its own name.
    """

    def __init__(self, cost: Cost, name: str | None = None) -> None:
        self.cost = cost
        self.name = name or getattr(cost, "__name__", type(cost).__name__)

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """Both, at each row.

        Raises
        ------
        InvalidProblem
            The function gives no scalar tensor, or one that does not depend on x by operations of torch.
        """
        pairs = [self._query(row) for row in x]
        return Queried(np.array([value for value, _ in pairs]), np.stack([gradient for _, gradient in pairs]))

    def values(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """The value alone, at each row.

        Raises
        ------
        InvalidProblem
            The function gives no scalar tensor.
        """
        with torch.no_grad():
            return np.array([float(self._scalar(torch.tensor(row, dtype=torch.float64))) for row in x])

    def _query(self, row: Float[np.ndarray, " variables"]) -> tuple[float, Float[np.ndarray, " variables"]]:
        with torch.inference_mode(False), torch.enable_grad():
            leaf = torch.tensor(row, dtype=torch.float64, requires_grad=True)
            value = self._scalar(leaf)
            gradient = torch.autograd.grad(value, leaf, allow_unused=True)[0] if value.requires_grad else None
        if gradient is None:
            raise InvalidProblem(
                f"the cost '{self.name}' has no gradient in x; compute it from x by operations of torch, without .item(), "
                ".detach(), numpy or float(), or search without a gradient"
            )
        return float(value.detach()), gradient.numpy()

    def _scalar(self, x: torch.Tensor) -> torch.Tensor:
        value = self.cost(x)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            found = f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
            raise InvalidProblem(f"the cost '{self.name}' gives {found}; expected a scalar tensor of torch")
        return value.reshape(())


def load_cost(place: str) -> Callable[..., torch.Tensor]:
    """The function at ``FILE.py:function`` or ``module:function``. Loading runs the file: it is the user's own code.

    Raises
    ------
    ConfigError
        There is no such file, module or function, or loading it failed.
    """
    source, _, name = place.rpartition(":")
    if not source or not name:
        raise ConfigError(f"cost is '{place}'; expected FILE.py:function or module:function")
    try:
        module = _of_file(Path(source).expanduser()) if source.endswith(".py") else importlib.import_module(source)
    except Exception as error:
        raise ConfigError(f"cost={place}: {source} cannot be loaded: {type(error).__name__}: {error}") from error
    found: Any = getattr(module, name, None)
    if not callable(found):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"cost={place}: {source} has no function '{name}'{nearest(name, functions)}")
    return found  # type: ignore[no-any-return]


def _of_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path.absolute()}")
    spec = importlib.util.spec_from_file_location(f"cost_of_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
