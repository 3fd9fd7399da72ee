"""The four families of the LB-RELAX paper at the three sizes, with the k_0 of each (docs/papers/lb_relax.md#2.1)."""

from __future__ import annotations

import numpy as np

from data.ilp.generators.base import InstanceGenerator
from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.generators.mvc import MinimumVertexCover
from data.ilp.generators.sc import SetCover
from data.ilp.problem import ILP
from solvers.base import Budget
from solvers.lns.start import Greedy

FAMILIES: dict[str, dict[str, tuple[InstanceGenerator, int]]] = {
    "toy": {
        "MVC": (MinimumVertexCover(nodes=60, attachments=5), 12),
        "MIS": (MaximumIndependentSet(nodes=80), 20),
        "CA": (CombinatorialAuction(items=40, bids=80), 20),
        "SC": (SetCover(columns=80, rows=60, density=0.06), 12),
    },
    "small": {
        "MVC": (MinimumVertexCover(nodes=400, attachments=20), 40),
        "MIS": (MaximumIndependentSet(nodes=1500), 150),
        "CA": (CombinatorialAuction(items=500, bids=1000), 100),
        "SC": (SetCover(columns=1000, rows=1000, density=0.02), 60),
    },
    "paper": {
        "MVC": (MinimumVertexCover(), 100),
        "MIS": (MaximumIndependentSet(), 3000),
        "CA": (CombinatorialAuction(), 1000),
        "SC": (SetCover(), 150),
    },
}


def instance(size: str, family: str, seed: int = 0) -> ILP:
    """One generated instance."""
    generator, _ = FAMILIES[size][family]
    return generator(np.random.default_rng(seed), f"{family} {size} {seed}")


def title(family: str, problem: ILP) -> str:
    """Family and size, as docs/papers/lb_relax.md#10.1 names them."""
    return f"{family} {problem.n:,} x {problem.m:,}"


def greedy(problem: ILP) -> np.ndarray:
    """The greedy initial solution (n,), the incumbent that benchmarks start from."""
    assignment = Greedy().solve(problem, budget=Budget(seconds=120), rng=np.random.default_rng(0)).assignment
    if assignment is None:
        raise AssertionError(f"{problem.name}: packing and covering problems always have a greedy solution")
    return assignment
