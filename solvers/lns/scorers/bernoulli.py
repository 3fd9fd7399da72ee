"""The policy of RL-LNS as a scorer: with ``destroy.select=bernoulli`` each variable is free with its own probability."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logit

from data.ilp.problem import ILP
from data.ilp.rollout_state import STATIC_COLUMNS, RepeatedMatrix, row_normalized, solution_columns
from models.ilp.actor_critic import Actor
from solvers.milp.root_features import root_features


class BernoulliScorer(torch.nn.Module):
    """Scores ``logit p`` of the actor's probabilities p.

    In a search the solutions before the current one are the engine's earlier incumbents: it never goes to a worse
    solution, as the episodes of training may.

    Parameters
    ----------
    actor
        The policy, on any device.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.actor = actor

    def prepare(self, problem: ILP, seconds: float) -> None:
        """Root LP, static features and the row-normalised matrix of ``problem`` (minimisation form).

        Raises
        ------
        solvers.milp.root_lp.LPUnfinished
            No vertex within ``seconds``.
        InvalidProblem
            The relaxation is infeasible or unbounded.
        """
        self.matrix: sp.csr_matrix = row_normalized(problem)
        features = root_features(problem, seconds)
        self.static: np.ndarray = np.ascontiguousarray(features.variables[:, STATIC_COLUMNS])
        self._repeated = RepeatedMatrix(self.matrix)

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        """(n,) logits, given the earlier incumbents, newest first."""
        assignments = (incumbent, *history)
        return logit(self.probabilities(solution_columns(assignments, assignments)))

    @torch.no_grad()
    def probabilities(self, solutions: np.ndarray) -> np.ndarray:
        """(n,) probabilities, given :func:`data.ilp.rollout_state.solution_columns` (n, 5) of the prepared problem."""
        device = next(self.actor.parameters()).device
        x = torch.from_numpy(np.concatenate([self.static, solutions], axis=1)).to(device)
        return self.actor(x, self._repeated.to(device)).double().cpu().numpy()
