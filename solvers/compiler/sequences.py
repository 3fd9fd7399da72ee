"""Pass sequences as a space that gradient-free searches walk in, and what they are worth on a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data.compiler.base import Actions, Compiler
from data.compiler.program import Program
from runs.anytime import Trace
from runs.errors import at_least
from runs.record.checkpoint import State, prefixed, under
from solvers.base import Meter
from solvers.gradient_free.space import Objective, Point, Space


class PassSequences(Space):
    """Sequences of one pass to ``longest``; a point is (passes,) int64.

    Neighbours have one pass more, one less, or another one, each kind as often where it is possible.

    Parameters
    ----------
    actions
        Number of passes there are.
    longest
        Most passes of a sequence.

    Raises
    ------
    ConfigError
        A number is below 1.
    """

    def __init__(self, actions: int, longest: int) -> None:
        at_least("", actions=(actions, 1), longest=(longest, 1))
        self.actions, self.longest = actions, longest

    def sample(self, rng: np.random.Generator) -> Point:
        """As many random passes as a sequence may have: what follows the least count costs nothing in the end."""
        return rng.integers(self.actions, size=self.longest)

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        moves = ["replace"]
        moves += ["insert"] if len(point) < self.longest else []
        moves += ["delete"] if len(point) > 1 else []
        move = moves[rng.integers(len(moves))]
        if move == "insert":
            return np.insert(point, rng.integers(len(point) + 1), rng.integers(self.actions))
        place = rng.integers(len(point))
        if move == "delete":
            return np.delete(point, place)
        changed = point.copy()
        changed[place] = rng.integers(self.actions)
        return changed

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        """A beginning of the one, and an end of the other."""
        child = np.concatenate([first[: rng.integers(len(first) + 1)], second[rng.integers(len(second) + 1) :]])
        return child[: self.longest] if len(child) else first


def known_sequences(sequences: Sequence[Sequence[str]], compiler: Compiler) -> list[Point]:
    """Sequences of actions' names as points; those with an action that the compiler lacks are left out."""
    known = {name: index for index, name in enumerate(compiler.actions)}
    return [np.array([known[name] for name in names], np.int64) for names in sequences if known.keys() >= set(names)]


class LeastCount(Objective):
    """The least count on the way of a sequence (docs/papers/pass_order.md#(1)); each pass that is applied is an evaluation.

    A sequence that the budget does not cover is cut, so that what was found never took more.

    Attributes
    ----------
    best
        The passes that lead to the least count seen, () where no pass helps.
    least
        That count; infinite before anything was applied.
    trace
        The least count after each pass that lowered it.

    Parameters
    ----------
    program
        Where sequences are tried.
    compiler
        Applies them.
    """

    def __init__(self, program: Program, compiler: Compiler) -> None:
        self.program, self.compiler = program, compiler
        self.best: Actions = ()
        self.least = np.inf
        self.trace = Trace()

    def values(self, points: Sequence[Point], meter: Meter) -> Float[np.ndarray, " points"]:
        left = meter.remaining_evaluations
        sequences: list[Actions] = []
        for point in points:
            sequences.append(tuple(point.tolist()[: int(min(left, len(point)))]))
            left -= len(sequences[-1])
        found = self.compiler.trajectories(self.program.bitcode, sequences, self.program.name)
        for sequence, trajectory in zip(sequences, found, strict=True):
            for step, count in enumerate(trajectory.counts):
                if count < self.least:
                    self.best, self.least = sequence[:step], count
                    self.trace.record(meter.seconds, meter.evaluations + step, count)
            meter.evaluations += trajectory.applied
        return np.array([trajectory.least() for trajectory in found], float)

    def memory(self) -> State:
        own = {"best": np.array(self.best, np.int64), "least": np.array(self.least)}
        return own | prefixed("trace/", self.trace.to_arrays())

    def restore(self, memory: State) -> None:
        self.best, self.least = tuple(memory["best"].tolist()), float(memory["least"])
        self.trace = Trace.from_arrays(under("trace/", memory))


def cut(program: Program, compiler: Compiler, sequence: tuple[int, ...]) -> tuple[int, ...]:
    """The sequence up to its first least count."""
    return sequence[: program.trajectory(compiler, sequence).best_length]


def pruned(program: Program, compiler: Compiler, sequence: tuple[int, ...]) -> tuple[int, ...]:
    """The sequence without passes that the least count does not need, dropped one by one, of equal ones the last first.

    References
    ----------
    docs/papers/pass_order.md#3.1
    """
    sequence = cut(program, compiler, sequence)
    while sequence:
        shorter = [(*sequence[:i], *sequence[i + 1 :]) for i in reversed(range(len(sequence)))]
        found = compiler.trajectories(program.bitcode, [sequence, *shorter], program.name)
        least = [trajectory.least() for trajectory in found]
        best = min(range(len(shorter)), key=lambda i: least[1 + i])
        if least[1 + best] > least[0]:
            break
        sequence = shorter[best][: found[1 + best].best_length]
    return sequence
