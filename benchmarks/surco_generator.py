"""Designs that a brush can paint: the event-driven generator against its definition, computed anew before each touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.brush_recomputed import recomputed
from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, Probe
from data.photonics.brush import BrushRule, notched_square
from solvers.photonics.generator import generate

REPEATS = {"toy": 1, "small": 3, "paper": 5}
SIDES = {"toy": (10,), "small": (40, 80), "paper": (40, 80)}
DEFINITION, OURS = "the definition", "event-driven (ours)"
DESIGN = "one design"
OFTEN = 20
FASTER = 40


def cases(size: str) -> Iterator[Case]:
    """White noise as rewards; the designs are first checked to be equal."""
    for side in SIDES[size]:
        rule = BrushRule((side, side), notched_square(3, 1))
        rewards = np.random.default_rng(side).normal(size=(OFTEN, side, side))
        designs, done = generate(rewards[:1], rule)
        assert done.all()
        np.testing.assert_array_equal(designs[0], recomputed(rewards[0], rule.brush))
        runs = {DEFINITION: _defined(rule, rewards), OURS: _ours(rule, rewards)}
        yield Case(f"{side} x {side} pixels", runs, DEFINITION, [Target(OURS, DESIGN, CPU, 1 / FASTER)], warm_up=False)


def _defined(rule: BrushRule, rewards: np.ndarray) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during(DESIGN):
            recomputed(rewards[probe.round % OFTEN], rule.brush)

    return run


def _ours(rule: BrushRule, rewards: np.ndarray) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during(DESIGN, share=1 / OFTEN):
            for reward in rewards:
                generate(reward[None], rule)

    return run
