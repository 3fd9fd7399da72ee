"""A trained graph network as a scorer, its static part once per problem (docs/papers/cl_lns.md#6.2)."""

from __future__ import annotations

import time

import numpy as np
import torch

from data.ilp.features.dynamic import dynamic_features
from data.ilp.features.feature_set import VARIABLE_FEATURES
from data.ilp.features.static import StaticFeatures
from data.ilp.problem import ILP
from data.ilp.state_batch import StateBatch
from models.ilp.policy import EncodedInstance, NeighborhoodPolicy
from runs.errors import ConfigError
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.milp.root_features import RowKind, check_rows, root_features


class PolicyScorer(torch.nn.Module):
    """Scores of a :class:`models.ilp.policy.NeighborhoodPolicy`.

    Parameters
    ----------
    policy
        On any device.
    relaxations
        Gives the LP relaxations of local branching that feature set ``gasse_khalil_lb_relax`` shows.
    algorithm, rows
        Of the root LP, see :func:`solvers.milp.root_features.root_node`; the training data's.

    Raises
    ------
    ConfigError
        The feature set needs relaxations and there is nothing that gives them.
    """

    def __init__(
        self,
        policy: NeighborhoodPolicy,
        relaxations: LBRelaxScorer | None = None,
        algorithm: str = "auto",
        rows: RowKind = "constraints",
    ) -> None:
        super().__init__()
        if policy.feature_set.needs_lb_relaxation and relaxations is None:
            raise ConfigError(
                "model.feature_set is gasse_khalil_lb_relax, but the search has no LP relaxation of local branching; set "
                "task.relaxations (scorer.relaxations of a trained policy), or take feature set gasse_khalil"
            )
        self.policy = policy
        self.relaxations = relaxations if policy.feature_set.needs_lb_relaxation else None
        check_rows(rows, "scorer.rows")
        self.algorithm, self.rows = algorithm, rows
        self.measured: dict[str, float] = {}
        self._relaxed: dict[bytes, np.ndarray] = {}

    def prepare(self, problem: ILP, seconds: float) -> None:
        """Root LP, static features and their embeddings of ``problem`` (minimisation form).

        :attr:`measured` then holds ``feature_seconds``, what this took, and ``inputs_beyond_5_sigma``, the share of
        normalised static inputs so far from what the policy was trained on.

        Raises
        ------
        solvers.milp.lp.LPUnfinished
            No vertex within ``seconds``.
        InvalidProblem
            The relaxation is infeasible or unbounded, or a feature is not finite.
        """
        began = time.monotonic()
        self._relaxed, self.measured = {}, {}
        if self.relaxations is not None:
            self.relaxations.prepare(problem, seconds)
        features = root_features(problem, seconds, self.algorithm, self.rows)
        device = self.policy.visible.device
        variables, rows, edge_index, edges = (
            torch.from_numpy(array).to(device)
            for array in (features.variables, features.rows, features.graph.edge_index, features.edges)
        )
        self._encoded: EncodedInstance = self.policy.encode_static(variables, rows, edge_index, edges)
        self.measured["feature_seconds"] = time.monotonic() - began
        self.measured["inputs_beyond_5_sigma"] = self.policy.share_beyond(_static_batch(features).to(device))

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> torch.Tensor:
        """(n,) logits, given the earlier incumbents, newest first."""
        window = (incumbent, *history)[: max(1, self.policy.window)]
        relaxations = self._relaxations(problem, window)
        dynamic = dynamic_features(window, relaxations, self.policy.window)
        return self.policy.score(self._encoded, torch.from_numpy(dynamic).to(self.policy.visible.device))

    def _relaxations(self, problem: ILP, window: tuple[np.ndarray, ...]) -> list[np.ndarray] | None:
        """(n,) xbar of each incumbent of the window; those of the step before are kept."""
        if self.relaxations is None:
            return None
        known = self._relaxed
        self._relaxed = {
            key: known[key] if key in known else self.relaxations.relaxed(problem, x)
            for key, x in ((x.tobytes(), x) for x in window)
        }
        return [self._relaxed[x.tobytes()] for x in window]


def _static_batch(features: StaticFeatures) -> StateBatch:
    """The instance without incumbents."""
    n, static = features.variables.shape
    variables = torch.zeros(n, VARIABLE_FEATURES)
    variables[:, :static] = torch.from_numpy(features.variables)
    rows, edges = torch.from_numpy(features.rows), torch.from_numpy(features.edges)
    edge_index = torch.from_numpy(features.graph.edge_index)
    return StateBatch(variables, rows, edge_index, edges, torch.zeros(n, dtype=torch.long), 1)
