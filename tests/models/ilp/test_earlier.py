"""Policies kept before their configuration was stored still open by what they say of themselves."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from data.ilp.rollout_state import OBSERVATION_WIDTH
from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.graphs.gin import GIN
from models.ilp.actor_critic import Actor
from models.ilp.earlier import EarlierActor, EarlierPolicy
from models.ilp.policy import NeighborhoodPolicy
from runs.errors import ConfigError


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[key], theirs[key]) if isinstance(ours[key], torch.Tensor) else ours[key] == theirs[key]
        for key in ours
    )


@pytest.mark.parametrize(
    ("backbone", "form"),
    [
        (GAT(16), {"width": 16}),
        (GAT(16, heads="sliced"), {"width": 16, "feature_set": "gasse"}),
        (GCN(8), {"width": 8, "window": 1}),
        (GIN(8), {"width": 8}),
    ],
    ids=["gat", "sliced", "gcn", "gin"],
)
def test_a_policy_is_of_the_form_it_says(backbone: nn.Module, form: dict[str, Any]) -> None:
    policy = NeighborhoodPolicy(backbone, **form)
    state = policy.state_dict()
    assert EarlierPolicy().recognises(state) and not EarlierActor().recognises(state)
    assert same(EarlierPolicy().converted(state, "file"), policy)


def test_a_backbone_that_there_was_not_is_refused() -> None:
    state = NeighborhoodPolicy(nn.Identity()).state_dict()
    with pytest.raises(ConfigError, match=r"file: the policy's backbone is Identity\(\), none of GAT"):
        EarlierPolicy().converted(state, "file")


def test_an_actor_is_of_the_width_of_its_embedding() -> None:
    actor = Actor(width=8)
    state = actor.state_dict()
    assert EarlierActor().recognises(state) and not EarlierPolicy().recognises(state)
    assert same(EarlierActor().converted(state, "file"), actor)


def test_an_actor_of_other_features_or_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"width 8 and 22 features, this network width 8 and {OBSERVATION_WIDTH}"):
        EarlierActor().converted(Actor(inputs=22, width=8).state_dict(), "file")
    state = {key: value for key, value in Actor(width=8).state_dict().items() if not key.startswith("head.4")}
    with pytest.raises(ConfigError, match=r"no tensor 'head\.4\.weight'; expected a policy of RL-LNS"):
        EarlierActor().converted(state, "file")
