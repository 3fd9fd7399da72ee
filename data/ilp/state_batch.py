"""Labelled states of several ILPs as one graph: what a training step of a policy sees (docs/papers/cl_lns.md#2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from runs.errors import InvalidProblem


class LabelledState(Protocol):
    """One bipartite graph with its features and label sets, as arrays; the variables of the sets count from 0."""

    @property
    def variables(self) -> np.ndarray: ...
    @property
    def rows(self) -> np.ndarray: ...
    @property
    def edge_index(self) -> np.ndarray: ...
    @property
    def edges(self) -> np.ndarray: ...
    @property
    def member(self) -> np.ndarray: ...
    @property
    def set_of_member(self) -> np.ndarray: ...
    @property
    def positive(self) -> np.ndarray: ...
    @property
    def gain(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class LabelSets:
    """Sets of variables with labels, as index lists.

    Parameters
    ----------
    member
        (L,) variable node in the batch of each member of a set.
    set_of_member
        (L,) the set it is in.
    graph
        (S,) the state each set belongs to.
    positive
        (S,) bool, positive or negative.
    gain
        (S,) improvement of the objective by the set, the label.
    """

    member: Int[Tensor, " members"]
    set_of_member: Int[Tensor, " members"]
    graph: Int[Tensor, " sets"]
    positive: Bool[Tensor, " sets"]
    gain: Float[Tensor, " sets"]

    def to(self, device: torch.device | str) -> LabelSets:
        """The same on another device."""
        return LabelSets(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True, eq=False)
class StateBatch:
    """The disjoint union of bipartite graphs.

    Parameters
    ----------
    variables, rows, edges
        (N, 104), (M, 10) and (E, 2) features.
    edge_index
        (2, E) row node and variable node of each edge, counted over the batch.
    graph_of_variable
        (N,) the state each variable belongs to, ascending.
    graphs
        Number of states.
    sets
        The label sets of all states, None where there are none.
    """

    variables: Float[Tensor, "variables features"]
    rows: Float[Tensor, "rows row_features"]
    edge_index: Int[Tensor, "2 edges"]
    edges: Float[Tensor, "edges edge_features"]
    graph_of_variable: Int[Tensor, " variables"]
    graphs: int
    sets: LabelSets | None = None

    def to(self, device: torch.device | str) -> StateBatch:
        """The same on another device."""
        moved: dict[str, Any] = {
            key: value.to(device) for key, value in vars(self).items() if isinstance(value, Tensor | LabelSets)
        }
        return replace(self, **moved)


def collate(states: Sequence[LabelledState]) -> StateBatch:
    """Join states; graphs keep their order, and so do sets within them.

    Raises
    ------
    InvalidProblem
        A set is empty (it has no cosine with anything) or holds a variable that its state does not have.
    """
    for position, state in enumerate(states):
        _check(state, position)
    variables = _offsets([len(state.variables) for state in states])
    rows = _offsets([len(state.rows) for state in states])
    sets = _offsets([len(state.positive) for state in states])
    edge_index = [state.edge_index + np.array([[m], [n]]) for state, m, n in zip(states, rows, variables, strict=False)]
    labels = LabelSets(
        _joined([state.member + n for state, n in zip(states, variables, strict=False)]),
        _joined([state.set_of_member + s for state, s in zip(states, sets, strict=False)]),
        _graph_of(sets),
        _joined([state.positive for state in states]),
        _joined([np.asarray(state.gain, np.float32) for state in states]),
    )
    return StateBatch(
        _joined([state.variables for state in states]),
        _joined([state.rows for state in states]),
        _joined(edge_index, axis=1),
        _joined([state.edges for state in states]),
        _graph_of(variables),
        len(states),
        labels,
    )


def _check(state: LabelledState, position: int) -> None:
    sizes = np.bincount(state.set_of_member, minlength=len(state.positive))
    if not sizes.all():
        raise InvalidProblem(
            f"state {position} of the batch: label set {int(np.argmin(sizes))} is empty; a set needs at least one variable"
        )
    outside = (state.member < 0) | (state.member >= len(state.variables))
    if outside.any():
        raise InvalidProblem(
            f"state {position} of the batch: a label set holds variable {int(state.member[outside][0])}, "
            f"but there are {len(state.variables)}; the sets belong to another instance"
        )


def _offsets(sizes: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _graph_of(offsets: np.ndarray) -> Tensor:
    return torch.from_numpy(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)))


def _joined(arrays: list[np.ndarray], axis: int = 0) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays, axis))
