"""The loop of every gradient-free search: ask, evaluate what is new, tell, keep the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.anytime import Trace
from runs.record.checkpoint import Checkpoint, State, bit_generator_state, prefixed, random_state, under
from solvers.base import Budget, Meter
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Memo, Objective, Point, Space

STALE = 1000
"""Points in a row that were all known: then the space is taken to hold no other."""


class GradientFreeSearch:
    """One search, and what it has found.

    Attributes
    ----------
    point, value
        The best; None and infinite before there is a solution.
    trace
        ``value`` over seconds and evaluations.
    log
        For each batch the ``evaluations`` after it, how many of its points were ``fresh`` (not known before), and the
        ``least`` of its values.
    meter
        Of the budget.

    Parameters
    ----------
    space, objective, method
        Where it looks, what for, and how.
    budget
        An evaluation is what the objective counts: a query of an expensive oracle. Points that are known cost nothing.
    rng
        All randomness comes from it.
    """

    def __init__(
        self, space: Space, objective: Objective, method: Method, budget: Budget, rng: np.random.Generator
    ) -> None:
        self.space, self.objective, self.method, self.rng = space, objective, method, rng
        self.budget = budget
        self.meter: Meter = budget.start()
        self.known = Memo()
        self.point: Point | None = None
        self.value = np.inf
        self.trace = Trace()
        self.log: dict[str, list[float]] = {"evaluations": [], "fresh": [], "least": []}
        self._stale = 0

    def run(self, initial: Point | None = None, checkpoint: Checkpoint | None = None) -> None:
        """Search until the budget is spent, a signal asks to stop, nothing new turns up, or nothing is left to do.

        Parameters
        ----------
        initial
            Where it starts; by default a sample.
        checkpoint
            Holds the state of an earlier, interrupted search, which is continued as if nothing had happened.
        """
        with interrupt.watch():
            saved = checkpoint.load() if checkpoint else None
            if saved:
                self._restore(saved)
            else:
                self._begin(self.space.sample(self.rng) if initial is None else initial)
            while not (self.meter.exhausted or self.objective.solved) and self._stale < STALE:
                if checkpoint and checkpoint.due():
                    checkpoint.save(self._state())
                points = self._affordable(self.method.ask(self.space, self.rng))
                values = self._values(points)
                self.method.tell(points, values, self.meter.progress, self.rng)
                self._keep(points, values)
            if checkpoint and interrupt.requested():
                checkpoint.save(self._state())

    def _begin(self, point: Point) -> None:
        values = self._values([point])
        self.method.begin(point, float(values[0]))
        self._keep([point], values)

    def _affordable(self, points: Sequence[Point]) -> Sequence[Point]:
        left = self.meter.remaining_evaluations
        return points if left == np.inf else points[: max(1, int(left) // self.objective.most)]

    def _values(self, points: Sequence[Point]) -> Float[np.ndarray, " points"]:
        """Of equal points the first alone is evaluated, and none that is known."""
        keys = [self.space.key(point) for point in points]
        fresh = {key: point for key, point in zip(keys, points, strict=True) if key not in self.known}
        if fresh:
            found = self.objective.values(list(fresh.values()), self.meter)
            for key, value in zip(fresh, found.tolist(), strict=True):
                self.known[key] = value
        self._stale = 0 if fresh else self._stale + len(points)
        values = np.array([self.known[key] for key in keys])
        for column, number in (("evaluations", self.meter.evaluations), ("fresh", len(fresh)), ("least", values.min())):
            self.log[column].append(float(number))
        return values

    def _keep(self, points: Sequence[Point], values: Float[np.ndarray, " points"]) -> None:
        best = int(np.argmin(values))
        if values[best] < self.value:
            self.point, self.value = points[best], float(values[best])
            self.trace.record(self.meter.seconds, self.meter.evaluations, self.value)

    def _state(self) -> State:
        own = {
            "seconds": np.array(self.meter.seconds),
            "evaluations": np.array(self.meter.evaluations),
            "stale": np.array(self._stale),
            "rng": random_state(self.rng.bit_generator.state),
            "value": np.array(self.value),
        }
        if self.point is not None:
            own["point"] = self.point
        return (
            own
            | prefixed("known/", self.known.memory())
            | prefixed("trace/", self.trace.to_arrays())
            | prefixed("log/", {name: np.array(column, float) for name, column in self.log.items()})
            | prefixed("method/", self.method.memory())
            | prefixed("objective/", self.objective.memory())
        )

    def _restore(self, saved: State) -> None:
        self.meter = self.budget.start(float(saved["seconds"]), int(saved["evaluations"]))
        self._stale = int(saved["stale"])
        self.rng.bit_generator.state = bit_generator_state(saved["rng"])
        self.point, self.value = saved.get("point"), float(saved["value"])
        self.known.restore(under("known/", saved))
        self.trace = Trace.from_arrays(under("trace/", saved))
        self.log = {name: column.tolist() for name, column in under("log/", saved).items()}
        self.method.restore(under("method/", saved))
        self.objective.restore(under("objective/", saved))
