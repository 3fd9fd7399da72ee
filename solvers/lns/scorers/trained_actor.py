"""The policy that a run of RL-LNS kept, from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models.ilp.actor_critic import Actor
from runs.errors import ConfigError
from solvers.lns.scorers.bernoulli import BernoulliScorer
from solvers.lns.scorers.trained import FILE, Trained

_EMBEDDING = "encoder.embed.weight"


def trained_actor(run: str | None) -> BernoulliScorer:
    """The scorer of the policy that the run in folder ``run`` (or its file ``policy.pt``) searched with.

    It is made for ``destroy.select: bernoulli``.

    Raises
    ------
    ConfigError
        There is no such policy, it cannot be read, or it is another kind of policy or of other features.
    """
    if run is None:
        raise ConfigError("scorer.run is null; give the folder of a finished run of RL-LNS (checkpoint=RUN_FOLDER)")
    folder = Path(run).expanduser()
    path = folder / FILE if folder.is_dir() else folder
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"scorer.run: {path} cannot be read ({error.strerror}); give the folder of a finished run of RL-LNS"
        ) from error
    source = f"scorer.run: {path}"
    weights = Trained.from_bytes(payload, source).weights
    actor = Actor(width=len(weights.get(_EMBEDDING, ())) or 1)
    load_actor(actor, weights, source)
    return BernoulliScorer(actor.eval().requires_grad_(False))


def load_actor(actor: Actor, weights: Mapping[str, Tensor], source: str) -> None:
    """Fill ``actor`` with the ``weights`` of ``source``.

    Raises
    ------
    ConfigError
        They are no actor's, or another one's; names both shapes.
    """
    if _EMBEDDING not in weights:
        raise ConfigError(f"{source} holds no policy of RL-LNS; one that imitates is read by solver/scorer=trained")
    (width, features), (expected_width, expected) = weights[_EMBEDDING].shape, actor.encoder.embed.weight.shape
    if (width, features) != (expected_width, expected):
        raise ConfigError(
            f"{source} has width {width} and {features} features, this network width {expected_width} and {expected}; give "
            "the network the same, or train anew"
        )
    actor.load_state_dict(dict(weights))
