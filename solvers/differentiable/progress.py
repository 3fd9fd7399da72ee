"""The running state of a descent: where it is, what each step did, and its round trip through plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.errors import SolverFailure
from runs.record.checkpoint import Checkpoint, State, bit_generator_state, prefixed, random_state, under
from solvers.base import BrokenOff, Solution
from solvers.differentiable.best import BestVertex, NotFinite
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.steps import Steps

COLUMNS = ("value", "oracle_calls", "inexact", "zero_gradient", "hamming")
"""Of a descent's log, a row per step: f; calls of the oracle, and how many of its answers it did not know to be cheapest;
share of costs whose gradient is 0; variables that differ from the step before (0 at the first)."""


class StandStill(SolverFailure):
    """The gradient has been 0 everywhere for some steps: the descent does not move, and has not converged."""


class Progress:
    """A descent between two steps.

    Attributes
    ----------
    log
        See :data:`COLUMNS`.
    failure
        What ended it before its time, or None.

    Parameters
    ----------
    best
        What was found.
    steps
        The latent and its optimiser.
    rng
        Of the rule.
    checkpoint
        Where the state is saved, or None.
    """

    def __init__(self, best: BestVertex, steps: Steps, rng: np.random.Generator, checkpoint: Checkpoint | None) -> None:
        self.best, self.steps, self.rng, self.checkpoint = best, steps, rng, checkpoint
        self.log: dict[str, list[float]] = {name: [] for name in COLUMNS}
        self.failure: SolverFailure | None = None
        self._x: Float[np.ndarray, " variables"] | None = None
        self._since_best = self._standing = 0
        self._began: tuple[int, Any] = (0, rng.bit_generator.state)

    def over(self, limit: int | None, patience: int | None) -> bool:
        """Whether nothing is left to do, or to spend."""
        impatient = patience is not None and self._since_best > patience
        spent = limit is not None and len(self.log["value"]) >= limit
        return self.best.solved or impatient or spent or self.best.meter.exhausted

    def begin_step(self) -> None:
        """Save, when that is due; note what a step that is cut short goes back to."""
        if self.checkpoint and self.checkpoint.due():
            self.checkpoint.save(self._state())
        self._began = self.best.meter.evaluations, self.rng.bit_generator.state

    def record(
        self,
        x: Float[np.ndarray, " variables"],
        value: float,
        gradient: Float[np.ndarray, " variables"],
        oracle: OracleCalls,
    ) -> None:
        """A row of the log; the counts for patience and standstill go on."""
        hamming = 0 if self._x is None else np.count_nonzero(x != self._x)
        row = (value, oracle.calls, oracle.inexact, np.mean(gradient == 0), hamming)
        for name, number in zip(COLUMNS, row, strict=True):
            self.log[name].append(float(number))
        self._since_best = 0 if self.best.trace.evaluations[-1] == self.best.meter.evaluations else self._since_best + 1
        self._standing = 0 if gradient.any() else self._standing + 1
        self._x = x

    def refuse_standstill(self, most: int | None) -> None:
        """Fail after ``most`` steps in a row with gradients that are 0 everywhere.

        Raises
        ------
        StandStill
            With the remedy.
        """
        if most is not None and self._standing >= most and not self.best.solved:
            raise StandStill(
                f"{self.best.relaxed.name}: the gradient has been 0 everywhere for {most} steps, so the costs do not move "
                "(they have not converged). Use a larger lambda (solver.rule.interpolation), a smoothed rule "
                "(solver/rule=blackbox_smoothed) or another start (solver.start, another seed)"
            )

    def cut_short(self) -> None:
        """Forget a step that a signal ended: it is done again when the search goes on."""
        self.best.meter.evaluations, self.rng.bit_generator.state = self._began

    def fail(self, failure: SolverFailure) -> None:
        """End by a failure; one that a signal brought about is none, the step is done again when the search goes on."""
        if interrupt.requested():
            self.cut_short()
        else:
            self.failure = failure

    def solution(self) -> Solution:
        """The answer; after a signal the state is saved, and where f is not finite, where that is.

        Raises
        ------
        BrokenOff, SolverFailure
            The descent failed, with and without a solution.
        """
        log = {name: np.array(column) for name, column in self.log.items()}
        if self.failure is None:
            if self.checkpoint and interrupt.requested():
                self.checkpoint.save(self._state())
            return self.best.solution(log)
        cause = str(self.failure)
        if isinstance(self.failure, NotFinite) and self.checkpoint:
            self.checkpoint.save(self._state() | {"failed_x": self.failure.x})
            cause += f"; the vertex and the latent are saved in {getattr(self.checkpoint, 'path', 'the checkpoint')}"
        if self.best.x is None:
            raise SolverFailure(cause) from self.failure
        raise BrokenOff(cause, self.best.solution(log)) from self.failure

    def resume(self) -> None:
        """Go on with the state of an interrupted search, if there is one."""
        saved = self.checkpoint.load() if self.checkpoint else None
        if saved:
            self._restore(saved)

    def _state(self) -> State:
        own = {
            "rng": random_state(self.rng.bit_generator.state),
            "counts": np.array([self._since_best, self._standing]),
        }
        return (
            own
            | ({} if self._x is None else {"x": self._x})
            | prefixed("best/", self.best.memory())
            | prefixed("steps/", self.steps.memory())
            | prefixed("log/", {name: np.array(column) for name, column in self.log.items()})
        )

    def _restore(self, saved: State) -> None:
        self.rng.bit_generator.state = bit_generator_state(saved["rng"])
        self._since_best, self._standing = (int(count) for count in saved["counts"])
        self._x = saved.get("x")
        self.best.restore(under("best/", saved))
        self.steps.restore(under("steps/", saved))
        self.log = {name: column.tolist() for name, column in under("log/", saved).items()}
