"""Any scorer as a destroy heuristic: the slot of the learned policies (docs/papers/cl_lns.md#6.1)."""

from __future__ import annotations

from typing import Any, Literal, Protocol, final, runtime_checkable

import numpy as np
from scipy.special import expit

from data.ilp.problem import ILP
from runs.errors import ConfigError
from runs.record.checkpoint import State
from solvers.lns.state import Destroy, SearchState, Selection
from solvers.milp.lp import LPUnfinished


class Scorer(Protocol):
    """Rates the variables of a minimisation problem; the higher, the better to free. Deterministic."""

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> Any:
        """(n,) array or tensor of scores (logits), given the earlier incumbents, newest first.

        Raises
        ------
        LPUnfinished
            An LP it needs was not solved in time; the iteration then counts as not improved.
        """


@runtime_checkable
class PreparedScorer(Scorer, Protocol):
    """A scorer with work to do once per problem, such as the root LP and what follows from it."""

    def prepare(self, problem: ILP, seconds: float) -> None:
        """Get ready for ``problem`` (minimisation form) within the ``seconds`` left of the search (inf: no limit).

        Called at the first iteration, after the initial solution, on the search's clock.

        Raises
        ------
        LPUnfinished
            Time was over first, or a signal came.
        """


@final
class Scored(Destroy):
    """Free variables by score.

    Parameters
    ----------
    scorer
        Used unless the search is given another one.
    select
        ``greedy``: the k highest, ties by index. ``sample``: j with probability pi_j^m, pi = sigmoid(score), m such that
        k are expected. ``bernoulli``: j with probability pi_j, whatever k is.
    sample_at_cap
        ``greedy`` turns into ``sample`` for good once k has reached its cap, since it would repeat itself there.

    Raises
    ------
    ConfigError
        Unknown ``select``; at the start of a search: no scorer.
    """

    def __init__(
        self,
        scorer: Scorer | None = None,
        select: Literal["greedy", "sample", "bernoulli"] = "greedy",
        sample_at_cap: bool = True,
    ) -> None:
        if select not in ("greedy", "sample", "bernoulli"):
            raise ConfigError(f"destroy.select is '{select}'; choose greedy, sample or bernoulli")
        self.scorer = scorer
        self.rule = select
        self.sample_at_cap = sample_at_cap

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        active: Any = scorer or self.scorer
        if active is None:
            raise ConfigError("destroy.scorer is null and the search was given no scorer; set one of them")
        self._active: Scorer = active
        self._sampling = self.rule == "sample"
        self._unprepared: PreparedScorer | None = active if isinstance(active, PreparedScorer) else None
        self._rated: tuple[np.ndarray, int, np.ndarray] | None = None

    def memory(self) -> State:
        return {"sampling": np.array(self._sampling)}

    def restore(self, memory: State) -> None:
        self._sampling = bool(memory["sampling"])

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        try:
            scores = self._scores(state)
        except LPUnfinished:
            return Selection.nothing(state)
        if self.rule == "greedy" and self.sample_at_cap and state.at_cap:
            self._sampling = True
        if self.rule == "bernoulli":
            chosen = rng.random(len(scores)) < expit(scores)
        elif self._sampling:
            chosen = rng.random(len(scores)) < tempered(scores, k)
        else:
            chosen = np.argsort(-scores, kind="stable")[:k]
        return Selection.of(state, state.candidates[chosen])

    def _scores(self, state: SearchState) -> np.ndarray:
        """Scores (|I|,) of the candidates; computed once per incumbent."""
        if self._unprepared is not None:
            self._unprepared.prepare(state.problem, state.remaining_seconds)
            self._unprepared = None
        known = self._rated
        if known is None or known[1] != len(state.pool) or not np.array_equal(known[0], state.incumbent):
            scores = as_numpy(self._active.scores(state.problem, state.incumbent, state.pool))
            self._rated = known = state.incumbent, len(state.pool), scores[state.candidates]
        return known[2]


def as_numpy(scores: Any) -> np.ndarray:
    """float64 copy of an array or of a tensor on any device."""
    return np.asarray(scores.detach().cpu().numpy() if hasattr(scores, "detach") else scores, np.float64)


def tempered(scores: np.ndarray, k: int) -> np.ndarray:
    """Probabilities (|I|,) sigmoid(score)^m, m in [0, 100] by bisection so that they sum to ``k``.

    Where even m = 100 leaves more than 1.5 k (scores too near 1): sigmoid(m score), m in [0, 1].
    """
    probability = _bisected(lambda m: expit(scores) ** m, 0.0, 100.0, k)
    if probability.sum() > 1.5 * k:
        probability = _bisected(lambda m: expit((1.0 - m) * scores), 0.0, 1.0, k)
    return probability


def _bisected(probability: Any, low: float, high: float, k: int) -> np.ndarray:
    """The member of a family with falling sum whose sum is ``k``, or the nearest end."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle).sum() > k else (low, middle)
    return np.asarray(probability(high))
