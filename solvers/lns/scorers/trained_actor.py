"""The policy that a run of RL-LNS kept, from its checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from data.ilp.rollout_state import OBSERVATION_WIDTH
from models.ilp.actor_critic import Actor
from runs.errors import ConfigError
from solvers.lns.scorers.bernoulli import BernoulliScorer

_KEPT = "model.actor."  # where tasks.ilp.reinforcement keeps the best policy


def trained_actor(run: str) -> BernoulliScorer:
    """The best policy of the run in folder ``run``, for ``solver.destroy.scorer=`` with ``select: bernoulli``.

    Raises
    ------
    ConfigError
        There is no checkpoint, it cannot be read, or it is of another kind of policy or of other features.
    """
    path = Path(run).expanduser() / "checkpoints" / "last.ckpt"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except FileNotFoundError as error:
        raise ConfigError(f"scorer.run: {path} is missing; give the folder of a finished run of RL-LNS") from error
    except Exception as error:  # torch has no family of its own for damaged files
        raise ConfigError(f"scorer.run: {path} is no checkpoint that can be read: {error}") from error
    kept = {key.removeprefix(_KEPT): value for key, value in state.items() if key.startswith(_KEPT)}
    embedding = kept.get("encoder.embed.weight")
    if embedding is None:
        raise ConfigError(f"scorer.run: {path} holds no policy of RL-LNS; use solver=lns/trained for an imitating one")
    width, inputs = embedding.shape
    if inputs != OBSERVATION_WIDTH:
        raise ConfigError(
            f"scorer.run: the policy in {path} reads {inputs} features, this version gives {OBSERVATION_WIDTH}; train anew"
        )
    actor = Actor(width=width)
    actor.load_state_dict(kept)
    return BernoulliScorer(actor.requires_grad_(False))
