"""Pass sequences as a space that gradient-free searches walk in, and what they are worth on a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data.compiler.base import Compiler
from data.compiler.program import Program
from runs.errors import at_least
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


class LeastCount(Objective):
    """The least count on the way of a sequence (docs/papers/pass_order.md#(1)); each pass that is applied is an evaluation.

    Parameters
    ----------
    program
        Where sequences are tried.
    compiler
        Applies them.
    longest
        Most passes of a sequence.
    """

    def __init__(self, program: Program, compiler: Compiler, longest: int) -> None:
        self.program, self.compiler, self.most = program, compiler, longest

    def values(self, points: Sequence[Point], meter: Meter) -> Float[np.ndarray, " points"]:
        sequences = [tuple(point.tolist()) for point in points]
        meter.evaluations += sum(map(len, sequences))
        found = self.compiler.trajectories(self.program.bitcode, sequences, self.program.name)
        return np.array([trajectory.least() for trajectory in found], float)


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
