"""Loss and gradient of photonic designs at two wavelengths, against ceviche and whole grids (docs/papers/surco.md#2.3)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, Probe
from benchmarks.photonic_peers import on_the_whole_grid, published, value_and_gradient
from data.photonics.condensed import Condensed
from data.photonics.devices import DESIGNS, Layout, family
from data.photonics.problem import PhotonicProblem

REPEATS = {"toy": 1, "small": 7, "paper": 15}
CEVICHE, WHOLE, OURS, BATCH = "ceviche", "whole grid", "condensed (ours)", "condensed, 8 designs in one call (ours)"
TARGETS = {"bend": 30, "converter": 30, "splitter": 20, "wdm": 20}
"""Times as fast as ceviche."""
QUERY = "loss and gradient"
Way = Callable[[Float[np.ndarray, " variables"]], tuple[float, Float[np.ndarray, " variables"]]]


def cases(size: str) -> Iterator[Case]:
    """The published devices, each with designs drawn at random; without ceviche only the whole grid is beside."""
    peer = importlib.util.find_spec("ceviche_challenges") is not None
    if not peer and size != "toy":
        print("ceviche is not installed, so it is not compared with: make peers")
    for kind in ("bend",) if size == "toy" else DESIGNS:
        small = {"layout": Layout(absorbing=10), "design": (12, 12)} if size == "toy" else {}
        yield case(kind, family(kind, **small), peer and size != "toy")  # type: ignore[arg-type]


def case(kind: str, problem: PhotonicProblem, peer: bool) -> Case:
    """One device, all ways of solving it first checked to agree."""
    ways: dict[str, Way] = {}
    if peer:
        theirs = value_and_gradient(published(kind), problem)

        def ceviche(x: Float[np.ndarray, " variables"]) -> tuple[float, np.ndarray]:
            value, gradient = theirs(x.reshape(problem.box.shape))
            return float(value), gradient.reshape(-1)

        ways[CEVICHE] = ceviche
    ways[WHOLE] = lambda x: on_the_whole_grid(problem, x)
    ways[OURS] = lambda x: _queried(problem, x)
    x = np.random.default_rng(0).uniform(size=problem.variables)
    (expected, slopes), *others = [way(x) for way in ways.values()]
    for value, gradient in others:
        np.testing.assert_allclose(value, expected, rtol=1e-8)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-8 * np.abs(slopes).max())
    baseline = next(iter(ways))
    targets = [Target(OURS, QUERY, CPU, 1 / TARGETS[kind])] if peer else []
    title = f"{kind}, {problem.box.shape[0]} x {problem.box.shape[1]}"
    runs = {name: _timed(way, problem, 5 if name == OURS else 1) for name, way in ways.items()}
    return Case(title, runs | {BATCH: _batched(problem)}, baseline, targets)


def _queried(problem: PhotonicProblem, x: Float[np.ndarray, " variables"]) -> tuple[float, np.ndarray]:
    found = problem.query(x[None])
    return float(found.values[0]), found.gradients[0]


def _timed(way: Way, problem: PhotonicProblem, times: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        designs = np.random.default_rng(probe.round + 1).uniform(size=(times, problem.variables))
        with probe.during(QUERY, share=1 / times):
            for design in designs:
                way(design)

    return run


def _batched(problem: PhotonicProblem) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        designs = np.random.default_rng(probe.round + 1).uniform(size=(8, problem.variables))
        with probe.during(QUERY, share=1 / 8):
            problem.query(designs)
        equations = [problem.linear(number) for number in range(len(problem.wavelengths))]
        with probe.during("preparation"):
            Condensed(equations, problem.background, problem.box)

    return run
