"""Embedding tables of a torch module of one's own (docs/sharding.md)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from data.sharding.own_tables import UNLIMITED, OwnTables
from data.sharding.problem import ANYWHERE
from data.sharding.table_law import LookupLaw
from runs.errors import ConfigError, InvalidProblem


def module_tables(source: str, pooling_factor: float = 1.0, batch: int = 65_536) -> OwnTables:
    """The tables of the module that a function returns, each once, by the name of its weights in the module.

    They are those of every ``EmbeddingBagCollection`` and ``EmbeddingCollection`` of TorchRec, and every other
    ``EmbeddingBag`` and ``Embedding`` of torch. The function is called without arguments, on the meta device, and takes no
    memory. It is imported from the folder of the command or from what is installed: whoever names a module runs its code.

    Parameters
    ----------
    source
        ``package.module:function``.
    pooling_factor
        Mean lookups per sample: a module does not know them.
    batch
        Samples of a batch.

    Raises
    ------
    ConfigError
        There is no such function, or it returns no torch module: names it.
    InvalidProblem
        The module has no embedding table, or one whose dimension is no multiple of 4.
    """
    import torch

    build = _function(source)
    with torch.device("meta"):
        module = build()
    if not isinstance(module, torch.nn.Module):
        raise ConfigError(f"data.module: {source} returned a {type(module).__name__}; it must return a torch.nn.Module")
    found = _weights(module)
    if not found:
        raise InvalidProblem(f"data.module: what {source} returns has no embedding table")
    for name, weight in found.items():
        if weight.shape[1] % 4:
            raise InvalidProblem(
                f"data.module: {name} of {source} has dimension {weight.shape[1]}; expected a positive multiple of 4"
            )
    rows = np.array([weight.shape[0] for weight in found.values()], np.int64)
    count = len(rows)
    law = LookupLaw.of_sizes(rows, np.full(count, float(pooling_factor)), batch)
    return OwnTables(
        law.tables(tuple(found), batch),
        np.array([weight.shape[1] for weight in found.values()], np.int64),
        np.array([weight.element_size() for weight in found.values()], np.int64),
        np.full(count, ANYWHERE),
        np.full(count, UNLIMITED),
        (
            f"a module knows no lookups: every table has pooling factor {pooling_factor:g} (data.pooling_factor), spread "
            "over rows as is typical; a CSV file (data.path) can say them",
        ),
    )


def _weights(module: Any) -> dict[str, Any]:
    """Weights of embedding tables by name; those that several places share once."""
    from torch import nn

    collections = {"EmbeddingBagCollection", "EmbeddingCollection"}
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for prefix, part in module.named_modules(remove_duplicate=True):
        kinds = {base.__name__ for base in type(part).__mro__ if base.__module__.startswith("torchrec.")}
        if not (isinstance(part, (nn.EmbeddingBag, nn.Embedding)) or kinds & collections):
            continue
        for name, weight in part.named_parameters(prefix=prefix):
            if weight.ndim == 2 and id(weight) not in seen:
                seen.add(id(weight))
                found[name.removesuffix(".weight")] = weight
    return found


def _function(source: str) -> Any:
    where, _, name = source.partition(":")
    if not where or not name:
        raise ConfigError(f"data.module is '{source}'; give package.module:function")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # as python -m does
    try:
        found = getattr(importlib.import_module(where), name, None)
    except ImportError as error:
        raise ConfigError(f"data.module: {where} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigError(f"data.module: {where} has no function '{name}'")
    return found
