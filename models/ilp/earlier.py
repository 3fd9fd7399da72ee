"""Policies that were kept before a network's configuration was stored beside its weights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from data.ilp.rollout_state import OBSERVATION_WIDTH
from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.graphs.gin import GIN
from models.ilp.actor_critic import Actor
from models.ilp.policy import NeighborhoodPolicy
from runs.errors import ConfigError
from runs.store.foreign import Converter, Names, unchanged

_EMBEDDING = "encoder.embed.weight"


class EarlierPolicy(Converter):
    """A policy that imitates, which says its form in words: feature set, width, window and backbone."""

    expected, kind = "a policy of imitation learning", "policy"
    backbones: Mapping[str, Callable[[int], nn.Module]] = {
        "GAT(heads=aligned, negative_slope=0.2)": GAT,
        "GAT(heads=sliced, negative_slope=0.2)": functools.partial(GAT, heads="sliced"),
        "GCN()": GCN,
        "GIN()": GIN,
    }
    """The only ones there were."""

    def recognises(self, state: Mapping[str, Any]) -> bool:
        """It has the form's words."""
        form = state.get("_extra_state")
        return isinstance(form, Mapping) and {"backbone", "width", "feature_set", "window"} <= form.keys()

    def network(self, state: Mapping[str, Any], source: str) -> NeighborhoodPolicy:
        """A policy of that form."""
        form = state["_extra_state"]
        if str(form["backbone"]) not in self.backbones:
            raise ConfigError(
                f"{source}: the policy's backbone is {form['backbone']}, none of {', '.join(self.backbones)}; "
                "give scorer.policy the model it was trained with"
            )
        backbone = self.backbones[form["backbone"]](form["width"])
        return NeighborhoodPolicy(backbone, form["width"], form["feature_set"], form["window"])

    def names(self, ours: Mapping[str, Tensor]) -> Names:
        """The same."""
        return unchanged(ours)


class EarlierActor(Converter):
    """A policy of RL-LNS."""

    expected, kind = "a policy of RL-LNS", "policy"

    def recognises(self, state: Mapping[str, Any]) -> bool:
        """It has an actor's embedding."""
        return isinstance(state.get(_EMBEDDING), Tensor)

    def network(self, state: Mapping[str, Any], source: str) -> Actor:
        """An actor of that width."""
        width, features = state[_EMBEDDING].shape
        if features != OBSERVATION_WIDTH:
            raise ConfigError(
                f"{source} has width {width} and {features} features, this network width {width} and {OBSERVATION_WIDTH}; "
                "train anew"
            )
        return Actor(features, width)

    def names(self, ours: Mapping[str, Tensor]) -> Names:
        """The same."""
        return unchanged(ours)
