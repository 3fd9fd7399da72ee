"""What a network is, as a hash: its structure, its settings and its weights."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from torch import Tensor, nn

PLAIN = (bool, int, float, str, type(None))


def network_digest(network: nn.Module) -> str:
    """Hash of a network's classes, plain settings, parameters and buffers: equal for equal functions of the images.

    Whether it is in training mode, what device it is on and which parameters are trained do not count.
    """
    digest = hashlib.sha256()
    for name, module in network.named_modules():
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        digest.update(json.dumps([name, kind, _settings(module)], sort_keys=True).encode())
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def tensor_bytes(tensor: Tensor) -> memoryview:
    """The content of a tensor of any type, row by row."""
    return memoryview(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy())


def _settings(module: nn.Module) -> dict[str, Any]:
    settings = {name: _plain(value) for name, value in vars(module).items() if not name.startswith("_")}
    return {name: value for name, value in settings.items() if name != "training" and value is not ...}


def _plain(value: Any) -> Any:
    """The value where it has a canonical form, the name of a function, else ``...``."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return ... if ... in items else items
    return getattr(value, "__qualname__", ...) if callable(value) else ...
