"""Integer programs whose rows count, priced by a cost of one's own (docs/papers/surco.md#3.8)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.utils.data import Dataset

from data.ilp.generators.base import InstanceGenerator
from data.ilp.instances import IntegerPrograms
from data.ilp.problem import ILP
from data.queried import Queried
from data.torch_cost import TorchCost, load_cost


class PricedProgram:
    """The feasible set of a program and a cost of its variables: a relaxed problem.

    Attributes
    ----------
    polytope
        The program; its own objective is not read, unless the cost does.

    Parameters
    ----------
    program
        Rows, bounds and which variables are whole.
    cost
        Of x (variables,), or of x and the program, where it takes two arguments.
    """

    maximize = False

    def __init__(self, program: ILP, cost: Callable[..., torch.Tensor]) -> None:
        self.polytope, self.name = program, program.name
        both = _takes_two(cost)
        self.cost = TorchCost((lambda x: cost(x, program)) if both else cost, getattr(cost, "__name__", "cost"))

    @property
    def variables(self) -> int:
        return self.polytope.n

    @property
    def integer(self) -> Bool[np.ndarray, " variables"]:
        """Which variables are whole."""
        return self.polytope.integer

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """The cost and its gradient.

        Raises
        ------
        InvalidProblem
            The cost is no scalar, or has no gradient.
        """
        return self.cost.query(x)

    def values(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """The cost alone."""
        return self.cost.values(x)

    def assignment(self, x: Float[np.ndarray, " variables"]) -> Float[np.ndarray, " variables"]:
        """x itself."""
        return x

    def objective(self, assignment: Float[np.ndarray, " variables"]) -> float:
        """The cost."""
        return float(self.cost.values(assignment[None])[0])

    def objective_of(self, x: Float[np.ndarray, " variables"], value: float) -> float:
        """The cost, which is known."""
        return value

    def is_feasible(self, assignment: Float[np.ndarray, " variables"]) -> bool:
        """By the program's rows, bounds and integers."""
        return self.polytope.is_feasible(assignment)

    def worst_violation(self, assignment: Float[np.ndarray, " variables"]) -> tuple[str, float]:
        """By the program."""
        return self.polytope.worst_violation(assignment)


class PricedPrograms(IntegerPrograms):
    """Integer programs from files or a generator, each with the same cost.

    Parameters
    ----------
    cost
        A function of x (variables,), or of x and the program; as text, where it is: ``FILE.py:function`` or
        ``module:function``.
    path, generator, count, first, seed, name, optimum
        See :class:`data.ilp.instances.IntegerPrograms`; an optimum is one of the cost.
    """

    def __init__(
        self,
        cost: Callable[..., torch.Tensor] | str,
        path: str | None = None,
        generator: InstanceGenerator | None = None,
        count: int | None = None,
        first: int = 0,
        seed: int = 0,
        name: str | None = None,
        optimum: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(path, generator, count, first, seed, name, optimum)
        self.cost = load_cost(cost) if isinstance(cost, str) else cost

    def setup(self, stage: str | None = None) -> None:
        """Find the programs.

        Raises
        ------
        InvalidProblem, ConfigError
            As :meth:`data.ilp.instances.IntegerPrograms.setup`.
        """
        super().setup(stage)
        if not isinstance(self.test_problems, _Priced):
            assert self.test_problems is not None
            self.test_problems = _Priced(self.test_problems, self.cost)


class _Priced(Dataset[tuple[int, Any]]):
    def __init__(self, programs: Dataset[tuple[int, Any]], cost: Callable[..., torch.Tensor]) -> None:
        self.programs, self.cost = programs, cost

    def __len__(self) -> int:
        return len(self.programs)  # type: ignore[arg-type]

    def __getitem__(self, position: int) -> tuple[int, Any]:
        index, program = self.programs[position]
        return index, PricedProgram(program, self.cost) if isinstance(program, ILP) else program


def _takes_two(cost: Callable[..., torch.Tensor]) -> bool:
    try:
        parameters = inspect.signature(cost).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in parameters if each.kind in positional and each.default is inspect.Parameter.empty]
    return len(needed) == 2
