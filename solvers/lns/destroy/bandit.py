"""A bandit over destroy heuristics (docs/papers/lb_relax.md#4.3): more turns for what has gained more per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, final

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from runs.record.checkpoint import State
from solvers.lns.state import Destroy, SearchState, Selection


@final
class Bandit(Destroy):
    """Roulette wheel over (operator, size factor) arms.

    Every arm is tried once, in order; then an arm is drawn with probability ``explore`` uniformly, else in proportion to
    its rate. The rate is an exponential average of relative improvement per unit of cost.

    Parameters
    ----------
    operators
        Destroy heuristics by name.
    sizes
        Factors on k; each operator is an arm with each factor.
    memory_weight
        In (0, 1]: weight of the newest reward in the average.
    explore
        In [0, 1].
    cost
        ``seconds`` (of the whole iteration; not reproducible) or ``evaluations`` (every iteration costs one).
    """

    def __init__(
        self,
        operators: Mapping[str, Destroy],
        sizes: Sequence[float] = (1.0,),
        memory_weight: float = 0.3,
        explore: float = 0.1,
        cost: Literal["seconds", "evaluations"] = "seconds",
    ) -> None:
        if not operators or not sizes or min(sizes) <= 0:
            raise ConfigError("destroy.operators and destroy.sizes must not be empty, and every size factor > 0")
        if not 0 < memory_weight <= 1 or not 0 <= explore <= 1:
            raise ConfigError(
                f"destroy.memory_weight is {memory_weight} and destroy.explore {explore}; "
                "they must lie in (0, 1] and [0, 1]"
            )
        if cost not in ("seconds", "evaluations"):
            raise ConfigError(f"destroy.cost is '{cost}'; choose 'seconds' or 'evaluations'")
        self.operators = dict(operators)
        self.arms = [(name, float(factor)) for name in self.operators for factor in sizes]
        self.memory_weight = memory_weight
        self.explore = explore
        self.cost = cost

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        for operator in self.operators.values():
            operator.prepare(problem, scorer)
        self._rates = np.full(len(self.arms), np.nan)
        self._played = -1

    def memory(self) -> State:
        arrays: State = {"rates": self._rates, "played": np.array(self._played)}
        for name, operator in self.operators.items():
            arrays |= {f"{name}/{key}": value for key, value in operator.memory().items()}
        return arrays

    def restore(self, memory: State) -> None:
        self._rates, self._played = memory["rates"], int(memory["played"])
        for name, operator in self.operators.items():
            prefix = f"{name}/"
            own = {key.removeprefix(prefix): value for key, value in memory.items() if key.startswith(prefix)}
            operator.restore(own)

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        self._learn(state)
        self._played = self._choose(rng)
        name, factor = self.arms[self._played]
        size = min(len(state.candidates), max(1, round(factor * k)))
        return self.operators[name].select(state, size, rng)

    def _learn(self, state: SearchState) -> None:
        """Credit the arm played last with what its iteration gained."""
        if self._played < 0:
            return
        spent = state.last_seconds if self.cost == "seconds" else 1.0
        reward = state.last_improvement / max(1.0, abs(state.objective)) / max(spent, 1e-6)
        rates = self._rates.copy()
        old = rates[self._played]
        rates[self._played] = reward if np.isnan(old) else old + self.memory_weight * (reward - old)
        self._rates = rates

    def _choose(self, rng: np.random.Generator) -> int:
        untried = np.flatnonzero(np.isnan(self._rates))
        if len(untried):
            return int(untried[0])
        total = self._rates.sum()
        if total <= 0 or rng.random() < self.explore:
            return int(rng.integers(len(self.arms)))
        return int(rng.choice(len(self.arms), p=self._rates / total))
