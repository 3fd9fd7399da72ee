"""Heuristics that look at an LP relaxation, which is all they remember."""

from __future__ import annotations

from typing import Protocol

from data.ilp.problem import ILP
from runs.record.checkpoint import State
from solvers.lns.state import Destroy


class Remembering(Protocol):
    """An LP relaxation kept during a search, which a checkpoint can hold."""

    def prepare(self, problem: ILP) -> None: ...

    def memory(self) -> State: ...

    def restore(self, memory: State) -> None: ...


class Guided(Destroy):
    """Abstract: passes what a search asks of its heuristic on to the relaxation, :attr:`lp`."""

    lp: Remembering

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        self.lp.prepare(problem)

    def memory(self) -> State:
        return self.lp.memory()

    def restore(self, memory: State) -> None:
        self.lp.restore(memory)
