"""What a network sees of a program (docs/papers/pass_order.md#2.3), kept in the artifact cache."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.compiler.base import Compiler, CountKind, State
from data.compiler.collected import by_digest, collected
from data.compiler.counts import COUNTS
from data.compiler.program import Program
from data.compiler.program_graph import RELATIONS
from data.graphs.relational import RelationalBatch, RelationalGraph, batch
from runs.errors import ConfigError, nearest
from runs.store.cache import ArtifactCache, npz_arrays, npz_bytes

Arrays = dict[str, np.ndarray]


class View(Protocol):
    """One way to see programs."""

    name: str

    def of(self, state: State) -> Arrays:
        """What it sees of one."""

    def size(self, seen: Arrays) -> int:
        """How large a part of a batch that is: nodes of a graph."""

    def batch(self, seen: Sequence[Arrays]) -> Any:
        """Several at once, as a network takes them."""


@dataclass(frozen=True)
class CountsView:
    """Counts of one kind or several, each over the number of instructions.

    Parameters
    ----------
    kinds
        Of ``autophase`` and ``inst_count``.

    Raises
    ------
    ConfigError
        There is no such kind.
    """

    kinds: Sequence[CountKind] = ("autophase",)

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in get_args(CountKind):
                raise ConfigError(f"view.kinds: there is no '{kind}'{nearest(kind, get_args(CountKind))}")

    @property
    def name(self) -> str:
        """Of its items in the cache."""
        return "-".join(self.kinds)

    def of(self, state: State) -> Arrays:
        """See :class:`View`."""
        return {kind: state.counts(kind) for kind in self.kinds}

    def size(self, seen: Arrays) -> int:
        """See :class:`View`."""
        return 1

    def batch(self, seen: Sequence[Arrays]) -> Float[Tensor, "programs features"]:
        """See :class:`View`."""
        parts = []
        for kind in self.kinds:
            counts = np.array([each[kind] for each in seen], np.float64)
            total = counts[:, [COUNTS[kind].index("TotalInsts")]]
            parts.append(counts / np.maximum(total, 1))
        return torch.from_numpy(np.concatenate(parts, axis=1)).float()


TEXTS = 4096
"""Texts of nodes are told apart by a checksum below this; 0 stands for those that nobody has learned."""
_SIGNATURE = re.compile(r" \(.*\)")


@dataclass(frozen=True)
class GraphView:
    """Program graphs (docs/papers/pass_order.md#2.4). All that looks like the type of a function is one text."""

    name: str = "graph"

    def of(self, state: State) -> Arrays:
        """See :class:`View`."""
        found = state.graph()
        graph = found.graph
        texts = np.array([_text_number(text) for text in found.texts], np.int64)
        return {
            "source": graph.source,
            "target": graph.target,
            "relation": graph.relation,
            "text": texts[graph.node_features["text"]],
            "type": graph.node_features["type"],
            "position": graph.edge_features["position"],
            "block_order": found.block_order,
        }

    def size(self, seen: Arrays) -> int:
        """See :class:`View`."""
        return len(seen["type"])

    def batch(self, seen: Sequence[Arrays]) -> RelationalBatch:
        """See :class:`View`."""
        return batch([_graph(each) for each in seen])


def _graph(seen: Arrays) -> RelationalGraph:
    of = {name: seen["relation"] == number for number, name in enumerate(RELATIONS)}
    return RelationalGraph.of(
        len(seen["type"]),
        {name: (seen["source"][chosen], seen["target"][chosen]) for name, chosen in of.items()},
        {name: seen[name].astype(np.int64) for name in ("text", "type")},
        {
            name: {feature: seen[feature][chosen].astype(np.int64) for feature in ("position", "block_order")}
            for name, chosen in of.items()
        },
    )


def _text_number(text: str) -> int:
    folded = "__function__" if _SIGNATURE.search(text) else text
    return 1 + zlib.crc32(folded.encode()) % (TEXTS - 1)


def views(
    programs: Sequence[Program], view: View, compiler: Compiler, cache: ArtifactCache, *, workers: int = 0
) -> dict[str, Arrays]:
    """What a view sees of programs, by their names; those that fail are named in a warning and left out.

    Raises
    ------
    InvalidProblem
        All failed.
    """
    about = {"compiler": compiler.fingerprint.config(), "view": view.name}
    make = functools.partial(_seen, programs=by_digest(programs), view=view, compiler=compiler)
    found = collected("program_views", about, programs, make, cache, workers)
    return {name: npz_arrays(payload) for name, payload in found.items()}


def _seen(digest: str, *, programs: dict[str, Program], view: View, compiler: Compiler) -> bytes:
    program = programs[digest]
    return npz_bytes(view.of(compiler.load(program.bitcode, program.name)))
