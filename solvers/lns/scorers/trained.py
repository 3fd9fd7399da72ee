"""Policies that earlier runs trained, as scorers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.ilp.actor_critic import Actor
from models.ilp.earlier import EarlierActor, EarlierPolicy
from models.ilp.policy import NeighborhoodPolicy, load_weights
from runs.errors import ConfigError
from runs.store.trained_run import TrainedRun
from solvers.lns.scorers.bernoulli import BernoulliScorer
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.policy import PolicyScorer
from solvers.milp.root_features import RowKind

POLICY = "policy"
"""What the trainings keep their network as."""


class TrainedPolicy(PolicyScorer):
    """The scorer of a policy that imitates, for ``solver.destroy.scorer=``.

    Parameters
    ----------
    run
        The run that trained it or searched with it: its folder, a file in it, or ``{sweep, method, seed}``, see
        :meth:`runs.store.trained_run.TrainedRun.at`.
    key, cache
        Its key in the artifact cache (named in that run's log), and the folder of that cache.
    policy
        The network as it was trained, filled here. None: as the checkpoint says.
    relaxations, algorithm, rows
        See :class:`solvers.lns.scorers.policy.PolicyScorer`.

    Raises
    ------
    ConfigError
        Not exactly one of ``run`` and ``key`` is given; there is no such policy, it cannot be read, or it has another
        feature set, width, backbone or normalisation than ``policy``.
    """

    def __init__(
        self,
        run: str | Mapping[str, Any] | None = None,
        key: str | None = None,
        cache: str | None = None,
        policy: NeighborhoodPolicy | None = None,
        relaxations: LBRelaxScorer | None = None,
        algorithm: str = "auto",
        rows: RowKind = "constraints",
    ) -> None:
        if (run is None) == (key is None):
            raise ConfigError(f"scorer.run is {run!r} and scorer.key is {key!r}; set exactly one of them")
        trained = TrainedRun.at(run if key is None else {"key": key, "cache": cache}, POLICY, "imitation learning")
        if policy is None:
            found = trained.model([EarlierPolicy()])
            if not isinstance(found, NeighborhoodPolicy):
                raise ConfigError(
                    f"{trained.source} holds a {type(found).__name__}, no policy of imitation learning; one of RL-LNS is "
                    "read by solver/scorer=trained_rl"
                )
            policy = found
        else:
            load_weights(policy, trained.trained().weights, trained.source)
        super().__init__(policy.eval().requires_grad_(False), relaxations, algorithm, rows)


def trained_actor(run: str | Mapping[str, Any] | None) -> BernoulliScorer:
    """The scorer of a policy of RL-LNS, for ``destroy.select: bernoulli``.

    Parameters
    ----------
    run
        See :class:`TrainedPolicy`.

    Raises
    ------
    ConfigError
        There is no such policy, it cannot be read, or it is another kind of policy or of other features.
    """
    if run is None:
        raise ConfigError("scorer.run is null; give the folder of a finished run of RL-LNS (checkpoint=RUN_FOLDER)")
    trained = TrainedRun.at(run, POLICY, "RL-LNS")
    actor = trained.model([EarlierActor()])
    if not isinstance(actor, Actor):
        raise ConfigError(
            f"{trained.source} holds no policy of RL-LNS; one that imitates is read by solver/scorer=trained"
        )
    return BernoulliScorer(actor)
