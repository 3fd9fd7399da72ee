"""Small binary programs with a quadratic cost, to be compared with enumeration (docs/papers/surco.md#7)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch.utils.data import Dataset

from data.ilp.priced import PricedProgram
from data.ilp.problem import ILP
from data.modules import ProblemData
from runs.errors import at_least

MOST = 20
"""Variables of a program whose points are tried."""


class QuadraticPrograms(ProblemData):
    """Random programs: x' Q x / 2 + b'x under rows that want between .3 and .6 of their weights.

    Parameters
    ----------
    count, first
        Instances, from an endless series.
    variables, rows
        Of each.
    seed
        Of the series.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    name = "quadratic"

    def __init__(self, count: int = 10, first: int = 0, variables: int = 15, rows: int = 4, seed: int = 0) -> None:
        super().__init__()
        at_least("data.", count=(count, 1), first=(first, 0), variables=(variables, 2), rows=(rows, 1), seed=(seed, 0))
        self.count, self.first, self.variables, self.rows, self.seed = count, first, variables, rows, seed
        self._optima: dict[str, float] = {}

    def setup(self, stage: str | None = None) -> None:
        """Each is drawn when it is asked for."""
        if self.test_problems is None:
            self.test_problems = _Drawn(self)

    def problem_optimum(self, name: str) -> float | None:
        """The least cost of all feasible points, for up to 20 variables."""
        if self.variables > MOST or self.test_problems is None:
            return None
        if name not in self._optima:
            _, problem = self.test_problems[int(name.rsplit("-", 1)[1]) - self.first]
            self._optima[name] = least_cost(problem)
        return self._optima[name]


class _Drawn(Dataset[tuple[int, PricedProgram]]):
    def __init__(self, programs: QuadraticPrograms) -> None:
        self.programs = programs

    def __len__(self) -> int:
        return self.programs.count

    def __getitem__(self, position: int) -> tuple[int, PricedProgram]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        of, index = self.programs, self.programs.first + position
        rng = np.random.default_rng([of.seed, index])
        return index, quadratic_program(rng, f"{of.name}-{index:04d}", of.variables, of.rows)


class QuadraticCost:
    """x' Q x / 2 + b'x."""

    def __init__(
        self, quadratic: Float[np.ndarray, "variables variables"], linear: Float[np.ndarray, " variables"]
    ) -> None:
        with torch.inference_mode(False):  # instances are drawn in a test step, and costs have gradients
            self.quadratic, self.linear = torch.from_numpy(quadratic), torch.from_numpy(linear)

    def __call__(self, x: Float[torch.Tensor, " variables"]) -> Float[torch.Tensor, ""]:
        return self.of_rows(x[None])[0]

    def of_rows(self, x: Float[torch.Tensor, "points variables"]) -> Float[torch.Tensor, " points"]:
        """Of many points."""
        return ((x @ self.quadratic) * x).sum(1) / 2 + x @ self.linear


def quadratic_program(rng: np.random.Generator, name: str, variables: int, rows: int) -> PricedProgram:
    """One of them; b is the program's own linear objective."""
    weights = rng.integers(1, 10, (rows, variables)).astype(float)
    sums = weights.sum(axis=1)
    half, linear = rng.standard_normal((variables, variables)), rng.standard_normal(variables)
    program = ILP.build(linear, weights, np.ceil(0.3 * sums), np.floor(0.6 * sums), 0, 1, True, name=name)
    return PricedProgram(program, QuadraticCost(half + half.T, linear))


def least_cost(problem: PricedProgram) -> float:
    """By trying all points."""
    program, cost = problem.polytope, problem.cost.cost
    assert isinstance(cost, QuadraticCost)
    points = (np.arange(2**program.n)[:, None] >> np.arange(program.n) & 1).astype(float)
    activity = points @ program.A.T.toarray()
    inside = ((activity >= program.row_lo) & (activity <= program.row_hi)).all(axis=1)
    return float(cost.of_rows(torch.from_numpy(points[inside])).min())
