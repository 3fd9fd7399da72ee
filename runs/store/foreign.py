"""Weights that somebody else's code wrote: the contract by which they become a network of ours."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from runs.errors import ConfigError
from runs.store.trained import load_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Names = Iterator[tuple[str, str, Callable[[Any], Any]]]
"""Of each tensor: the name in the foreign state, the network's own name, and how the one becomes the other."""


def unchanged(ours: Mapping[str, Tensor]) -> Names:
    """Names of a format that calls everything as we do."""
    return ((name, name, lambda tensor: tensor) for name in ours)


class Converter(ABC):
    """One foreign format. Its implementation stands beside the network: ``models/<domain>/<where it comes from>.py``.

    Attributes
    ----------
    expected
        What a file of this format holds, for messages.
    kind
        What it becomes, for messages: "policy".
    """

    expected: str
    kind: str = "network"

    @abstractmethod
    def recognises(self, state: Mapping[str, Any]) -> bool:
        """Whether a ``state_dict`` is of this format."""

    @abstractmethod
    def network(self, state: Mapping[str, Any], source: str) -> nn.Module:
        """The network that the weights belong to, still untrained.

        Raises
        ------
        ConfigError
            The state is of a form that there is no network of ours for: names ``source``.
        """

    @abstractmethod
    def names(self, ours: Mapping[str, Tensor]) -> Names:
        """Where each tensor of the network, ``ours`` by name, comes from; shapes may differ, not the number of entries."""

    @final
    def converted(self, state: Mapping[str, Any], source: str) -> nn.Module:
        """The network with the weights of ``state``, frozen and in evaluation mode.

        Raises
        ------
        ConfigError
            Something is missing or has another shape: names ``source``, the tensor and both shapes.
        """
        import torch

        network = self.network(state, source)
        ours = network.state_dict()
        tensors = {name: tensor for name, tensor in ours.items() if isinstance(tensor, torch.Tensor)}
        left = set(tensors)
        for theirs, name, convert in self.names(tensors):
            if not isinstance(state.get(theirs), torch.Tensor):
                raise ConfigError(
                    f"{source}: there is no tensor '{theirs}'; expected {self.expected}, the file holds "
                    f"{', '.join(sorted(state)[:5]) or 'no tensors'}"
                )
            tensor = convert(state[theirs])
            if tensor.numel() != tensors[name].numel():
                raise ConfigError(
                    f"{source}: '{theirs}' has shape {tuple(tensor.shape)}, the {self.kind} needs "
                    f"{tuple(tensors[name].shape)}; the file is of another width or feature set"
                )
            ours[name] = tensor.reshape(tensors[name].shape)
            left.discard(name)
        if left:
            raise TypeError(f"{type(self).__name__} gives no weights for {', '.join(sorted(left))}")
        network.load_state_dict(ours)
        return network.requires_grad_(False).eval()


class _Inert:
    """Stands in for every class of a foreign file; keeps what the file says of its instances and does nothing."""

    def __new__(cls, *arguments: Any, **options: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by qualified name, as a module's ``state_dict``."""
        import torch

        content = vars(self)
        own = {**content.get("_parameters", {}), **content.get("_buffers", {})}
        found = {name: tensor for name, tensor in own.items() if isinstance(tensor, torch.Tensor)}
        for name, child in content.get("_modules", {}).items():
            if isinstance(child, _Inert):
                found |= {f"{name}.{inner}": tensor for inner, tensor in child.tensors().items()}
        return found


def foreign_state(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a file of torch, by name: a whole pickled module, or a ``state_dict``.

    Raises
    ------
    ConfigError
        The file is missing, or cannot be read safely.

    Notes
    -----
    The file is read by torch's ``weights_only`` reader. Classes it names, which that reader would refuse, become inert
    containers: nothing of them is imported or run.
    """
    import torch
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file; give the path of a released checkpoint")
    try:
        stand_ins: list[Any] = [(_Inert, name) for name in get_unsafe_globals_in_checkpoint(path)]
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise ConfigError(
            f"{path}: this is no checkpoint that can be read safely: {str(error).splitlines()[0]}"
        ) from error
    with safe_globals(stand_ins):
        content = load_tensors(path, f"{path}: this is no checkpoint that can be read safely")
    if isinstance(content, _Inert):
        return content.tensors()
    if isinstance(content, dict):
        return {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
    raise ConfigError(f"{path}: holds a {type(content).__name__}; expected a network or its state_dict")
