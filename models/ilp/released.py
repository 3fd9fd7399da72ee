"""The authors' released checkpoints as policies of ours (docs/papers/cl_lns.md#4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from models.graphs.gat import GAT
from models.ilp.policy import NeighborhoodPolicy
from runs.store.foreign import Converter, Names, foreign_state

LAYERS = {
    "var_embedding.1": "variable_input",
    "var_embedding.3": "variable_embedding.1",
    "cons_embedding.1": "row_embedding.0",
    "cons_embedding.3": "row_embedding.2",
    "edge_embedding.1": "edge_embedding",
    "conv_v_to_c.lin_l": "backbone.to_rows.source",
    "conv_v_to_c.lin_r": "backbone.to_rows.target",
    "conv_v_to_c.output_module": "backbone.to_rows.output",
    "conv_c_to_v.lin_l": "backbone.to_variables.source",
    "conv_c_to_v.lin_r": "backbone.to_variables.target",
    "conv_c_to_v.output_module": "backbone.to_variables.output",
    "output_module": "head",
}
"""Released name of a layer to ours."""
ATTENTION = {"conv_v_to_c.att": "backbone.to_rows.attention", "conv_c_to_v.att": "backbone.to_variables.attention"}
NORMS = {"var_norm": "variable_norm", "cons_norm": "row_norm", "edge_norm": "edge_norm"}


class ReleasedPolicy(Converter):
    """A checkpoint of the authors' code.

    Parameters
    ----------
    feature_set
        What it was trained with (their feat1, feat2, feat3); the file does not say.
    """

    expected, kind = "a released CL-LNS policy with the GAT", "policy"

    def __init__(self, feature_set: str = "gasse_khalil") -> None:
        self.feature_set = feature_set

    def recognises(self, state: Mapping[str, Any]) -> bool:
        """It has their names of the two half convolutions."""
        return ATTENTION.keys() <= state.keys()

    def network(self, state: Mapping[str, Any], source: str) -> NeighborhoodPolicy:
        """The paper's, with ``heads: sliced``."""
        return NeighborhoodPolicy(GAT(heads="sliced"), feature_set=self.feature_set)

    def names(self, ours: Mapping[str, Tensor]) -> Names:
        """Layers by name; a prenorm's shift and scale become mean and deviation."""
        for released, layer in LAYERS.items():
            for key in ours:
                if key.startswith(f"{layer}."):
                    yield released + key.removeprefix(layer), key, lambda tensor: tensor
        for released, attention in ATTENTION.items():
            yield released, attention, lambda tensor: tensor
        for released, norm in NORMS.items():
            yield f"{released}.shift", f"{norm}.mean", lambda shift: -shift
            yield f"{released}.scale", f"{norm}.std", lambda scale: 1 / scale


def load_released(path: Path | str, feature_set: str = "gasse_khalil") -> NeighborhoodPolicy:
    """The policy of a checkpoint in the format of the authors' code, frozen and in evaluation mode.

    Parameters
    ----------
    path
        A file of theirs: a whole pickled model, or its ``state_dict``. No class that it names is imported.
    feature_set
        See :class:`ReleasedPolicy`.

    Raises
    ------
    ConfigError
        The file is missing, no checkpoint, or of another network.
    """
    policy = ReleasedPolicy(feature_set).converted(foreign_state(path), str(path))
    assert isinstance(policy, NeighborhoodPolicy)
    return policy
