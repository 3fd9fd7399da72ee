"""Fixtures of the LNS tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.problem import ILP
from solvers.lns.state import Destroy
from tests.solvers.lns.searches import HEURISTICS


@pytest.fixture(scope="session")
def auction() -> ILP:
    """30 items, 60 bids."""
    return CombinatorialAuction(30, 60)(np.random.default_rng(3), "auction").validate()


@pytest.fixture(params=sorted(HEURISTICS))
def heuristic(request: pytest.FixtureRequest) -> Callable[[], Destroy]:
    return HEURISTICS[request.param]
