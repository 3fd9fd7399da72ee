"""Vectors and categories: samples are what they say, every method finds a known optimum and goes on where it was stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from runs import interrupt
from runs.errors import ConfigError, MissingDependency
from runs.record.checkpoint import FileCheckpoint
from solvers.base import Budget, Meter
from solvers.gradient_free import cma_es
from solvers.gradient_free.annealing import Annealing
from solvers.gradient_free.categories import Categories
from solvers.gradient_free.cma_es import CmaEs
from solvers.gradient_free.cross_entropy import CrossEntropy
from solvers.gradient_free.genetic import Genetic
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.method import Method
from solvers.gradient_free.random_search import RandomSearch
from solvers.gradient_free.search import GradientFreeSearch
from solvers.gradient_free.space import Objective, Point, Space
from solvers.gradient_free.vectors import Vectors
from tests.solvers.gradient_free.spaces import Bits

OPTIMUM = np.array([0.5, -1.0, 2.0, 0.0, 1.0])


class Distance(Objective):
    """Squared distance from a point."""

    def __init__(self, optimum: np.ndarray) -> None:
        self.optimum = optimum

    def values(self, points: Sequence[Point], meter: Meter) -> np.ndarray:
        meter.evaluations += len(points)
        return np.array([np.square(point - self.optimum).sum() for point in points])


VECTORS = Vectors(5, centre=0.0, scale=[1.0, 2.0, 1.0, 1.0, 3.0])
METHODS: dict[str, Callable[[], Method]] = {
    "annealing": Annealing,
    "cross_entropy": lambda: CrossEntropy(16, rate=0.7),
    "genetic": lambda: Genetic(12, 8),
    "local_search": lambda: LocalSearch(4),
}
ON_VECTORS: dict[str, Callable[[], Method]] = METHODS | {
    "cma_es": CmaEs,
    "cma_es_separable": lambda: CmaEs(separable=True),
}


def search(
    method: Method, space: Space = VECTORS, optimum: np.ndarray = OPTIMUM, evaluations: int = 300, seed: int = 0
) -> GradientFreeSearch:
    return GradientFreeSearch(
        space, Distance(optimum), method, Budget(evaluations=evaluations), np.random.default_rng(seed)
    )


def value(method: Method, evaluations: int) -> float:
    found = search(method, evaluations=evaluations)
    found.run()
    assert found.meter.evaluations == evaluations
    return found.value


@pytest.mark.parametrize("name", sorted(ON_VECTORS))
def test_every_method_comes_nearer_than_random_vectors(name: str) -> None:
    if name.startswith("cma"):
        pytest.importorskip("cmaes")
    assert value(ON_VECTORS[name](), 300) < value(RandomSearch(), 300) / 2


def test_cma_es_and_cross_entropy_converge() -> None:
    pytest.importorskip("cmaes")
    assert value(CmaEs(), 1500) < 1e-8
    assert value(CrossEntropy(), 1000) < 0.1


@pytest.mark.parametrize("name", sorted(METHODS))
def test_categories_are_found(name: str) -> None:
    wanted = np.array([2, 0, 1, 3, 0, 0, 1, 2])
    found = search(METHODS[name](), Categories([3, 2, 2, 4, 1, 5, 3, 3]), wanted, 1500)
    found.run()
    np.testing.assert_array_equal(found.point, wanted)


class Stop(FileCheckpoint):
    """Asks this process to stop before batch ``at``."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path, every=1e9)
        self.left = at

    def due(self) -> bool:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        self.left -= 1
        return False


@pytest.mark.parametrize("name", sorted(ON_VECTORS))
@pytest.mark.parametrize("at", [0, 1, 6])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(name: str, at: int, tmp_path: Path) -> None:
    if name.startswith("cma"):
        pytest.importorskip("cmaes")
    path = tmp_path / "state.npz"
    undisturbed = search(ON_VECTORS[name](), evaluations=150)
    undisturbed.run()
    try:
        search(ON_VECTORS[name](), evaluations=150).run(checkpoint=Stop(path, at))
    finally:
        interrupt.clear()
    resumed = search(ON_VECTORS[name](), evaluations=150, seed=9)
    resumed.run(checkpoint=FileCheckpoint(path))
    assert resumed.log == undisturbed.log
    assert resumed.trace.objective == undisturbed.trace.objective


def test_samples_and_bounds_are_what_the_space_says() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([VECTORS.sample(rng) for _ in range(2000)])
    np.testing.assert_allclose(drawn.std(axis=0), VECTORS.scale, rtol=0.1)
    box = Vectors.box(-1.0, 2.0, 3)
    drawn = np.array([box.sample(rng) for _ in range(2000)])
    assert drawn.min() >= -1 and drawn.max() <= 2
    np.testing.assert_allclose(drawn.std(axis=0), box.scale, rtol=0.1)
    far = box.neighbour(np.full(3, 2.0), rng)
    assert (far <= 2).all() and (far < 2).any()
    pytest.importorskip("cmaes")
    asked = np.array(CmaEs(sigma=5.0).ask(box, rng))
    assert asked.min() >= -1 and asked.max() <= 2


def test_cma_es_may_begin_where_it_is_told() -> None:
    pytest.importorskip("cmaes")
    method = CmaEs(sigma=0.01, from_start=True)
    method.begin(np.full(5, 7.0), 0.0)
    assert np.abs(np.array(method.ask(VECTORS, np.random.default_rng(0))) - 7).max() < 1


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: CmaEs(sigma=0), r"solver\.method\.sigma is 0"),
        (lambda: CmaEs(population=2), r"solver\.method\.population is 2"),
        (lambda: CmaEs().ask(Bits(3), np.random.default_rng(0)), "CMA-ES searches vectors; a Bits"),
        (lambda: CrossEntropy(elite=0), r"solver\.method\.elite is 0"),
        (lambda: CrossEntropy(rate=1.5), r"solver\.method\.rate is 1\.5"),
        (lambda: CrossEntropy(population=1), r"solver\.method\.population is 1"),
        (lambda: CrossEntropy().ask(Bits(3), np.random.default_rng(0)), "a Bits has no distributions"),
        (lambda: Vectors(3, scale=0.0), "scales and reach must be above 0"),
        (lambda: Vectors.box(0.0, np.inf, 2), "a box has finite bounds"),
        (lambda: Categories([2, 0]), r"choices are \[2, 0\]"),
    ],
)
def test_what_does_not_fit_is_named(use: Callable[[], object], message: str) -> None:
    pytest.importorskip("cmaes")
    with pytest.raises(ConfigError, match=message):
        use()


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str, extra: str) -> None:
        raise MissingDependency(f"{module} comes with the extra '{extra}'")

    monkeypatch.setattr(cma_es, "require", missing)
    with pytest.raises(MissingDependency, match="extra 'search'"):
        CmaEs()
