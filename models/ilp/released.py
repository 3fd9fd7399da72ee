"""The authors' released checkpoints as policies of ours (docs/papers/cl_lns.md#4.4)."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from models.graphs.gat import GAT
from models.ilp.policy import NeighborhoodPolicy
from runs.errors import ConfigError

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


def load_released(path: Path | str, feature_set: str = "gasse_khalil") -> NeighborhoodPolicy:
    """The policy of a checkpoint in the format of the authors' code, in evaluation mode.

    Parameters
    ----------
    path
        A file of theirs: a whole pickled model, or its ``state_dict``.
    feature_set
        What it was trained with (their feat1, feat2, feat3); the file does not say.

    Returns
    -------
    NeighborhoodPolicy
        With ``heads: sliced``.

    Raises
    ------
    ConfigError
        The file is missing, no checkpoint, or of another network.

    Notes
    -----
    The file is read by torch's ``weights_only`` reader. Classes it names, which that reader would refuse, become inert
    containers: nothing of them is imported or run.
    """
    released = _tensors(Path(path))
    policy = NeighborhoodPolicy(GAT(heads="sliced"), feature_set=feature_set)
    state: dict[str, Any] = {"_extra_state": policy.get_extra_state()}
    expected = policy.state_dict()
    for theirs, ours, convert in _names(expected):
        if theirs not in released:
            raise ConfigError(
                f"{path}: there is no tensor '{theirs}'; expected a released CL-LNS policy with the GAT, "
                f"the file holds {', '.join(sorted(released)[:5]) or 'no tensors'}"
            )
        tensor = convert(released[theirs])
        if tensor.numel() != expected[ours].numel():
            raise ConfigError(
                f"{path}: '{theirs}' has shape {tuple(tensor.shape)}, the policy needs {tuple(expected[ours].shape)}; "
                "the file is of another width or feature set"
            )
        state[ours] = tensor.reshape(expected[ours].shape)
    policy.load_state_dict(state)
    return policy.eval()


def _names(expected: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Released name, our name and conversion of every tensor of the policy."""
    for theirs, ours in LAYERS.items():
        for key in expected:
            if key.startswith(f"{ours}."):
                yield theirs + key.removeprefix(ours), key, lambda tensor: tensor
    for theirs, ours in ATTENTION.items():
        yield theirs, ours, lambda tensor: tensor
    for theirs, ours in NORMS.items():
        yield f"{theirs}.shift", f"{ours}.mean", lambda shift: -shift
        yield f"{theirs}.scale", f"{ours}.std", lambda scale: 1 / scale


class _Inert:
    """Stands in for every class of a foreign file; keeps what the file says of its instances and does nothing."""

    def __new__(cls, *arguments: Any, **options: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by qualified name, as a module's ``state_dict``."""
        content = vars(self)
        own = {**content.get("_parameters", {}), **content.get("_buffers", {})}
        found = {name: tensor for name, tensor in own.items() if isinstance(tensor, Tensor)}
        for name, child in content.get("_modules", {}).items():
            if isinstance(child, _Inert):
                found |= {f"{name}.{inner}": tensor for inner, tensor in child.tensors().items()}
        return found


def _tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file; give the path of a released checkpoint")
    try:
        stand_ins: list[Any] = [(_Inert, name) for name in get_unsafe_globals_in_checkpoint(path)]
        with safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise ConfigError(
            f"{path}: this is no checkpoint that can be read safely: {str(error).splitlines()[0]}"
        ) from error
    if isinstance(content, _Inert):
        return content.tensors()
    if isinstance(content, dict):
        return {key: value for key, value in content.items() if isinstance(value, Tensor)}
    raise ConfigError(f"{path}: holds a {type(content).__name__}; expected a policy or its state_dict")
