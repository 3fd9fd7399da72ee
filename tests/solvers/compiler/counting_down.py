"""A compiler whose counts can be told by hand: programs are numbers, passes take from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data.compiler.base import Actions, Failure, Fingerprint, Trajectory
from data.compiler.program import Program
from runs.errors import InvalidProblem


class CountingDown:
    """A program of ``b"3 1"`` has 4 instructions. Pass i makes number i 0 if all before it are; ``grow`` adds 5.

    ``abort`` fails. ``applied`` is how many passes were run.
    """

    size_level = "Oz"
    levels = ("O0", "Oz")
    reads = 99

    def __init__(self, numbers: int = 3) -> None:
        names = (*(f"clear{i}" for i in range(numbers)), "grow", "abort")
        self.fingerprint = Fingerprint("counting down", "1", "all", names)
        self.applied = 0

    @property
    def actions(self) -> tuple[str, ...]:
        return self.fingerprint.actions

    def load(self, bitcode: bytes, name: str = "program") -> Any:
        count = sum(self._numbers(bitcode, name))
        return type("State", (), {"count": lambda _: count})()

    def trajectories(self, bitcode: bytes, sequences: Sequence[Actions], name: str = "program") -> list[Trajectory]:
        return [self._trajectory(self._numbers(bitcode, name), sequence) for sequence in sequences]

    def reference(self, bitcode: bytes, level: str | None = None, name: str = "program") -> int:
        return sum(self._numbers(bitcode, name)) if level == "O0" else self._numbers(bitcode, name)[-1]

    def command_line(self, actions: Actions) -> str:
        return " ".join(["count", *(self.actions[action] for action in actions)])

    def close(self) -> None:
        pass

    def _numbers(self, bitcode: bytes, name: str) -> list[int]:
        if not bitcode:
            raise InvalidProblem(f"{name} is empty")
        return [int(word) for word in bitcode.split()]

    def _trajectory(self, numbers: list[int], sequence: Actions) -> Trajectory:
        counts, more = [sum(numbers)], 0
        for step, action in enumerate(sequence):
            self.applied += 1
            name = self.actions[action]
            if name == "abort":
                return Trajectory(tuple(counts), Failure(sequence[: step + 1], name, "as it should"))
            if name == "grow":
                more += 5
            elif not any(numbers[:action]):
                numbers = [0 if i == action else number for i, number in enumerate(numbers)]
            counts.append(sum(numbers) + more)
        return Trajectory(tuple(counts))


def programs(*texts: bytes) -> list[Program]:
    return [Program(f"numbers/{i}", "numbers", text) for i, text in enumerate(texts)]
