"""Sequences as a tree of their prefixes: what they share is computed once, though a budget counts it for each."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from data.compiler.base import Actions


class PrefixTree:
    """Prefixes of sequences, numbered so that each stands before those that it begins, and depth first.

    Attributes
    ----------
    parents
        Of each node; -1 for a first pass.
    actions
        The last of each node.
    paths
        Of each sequence, its nodes.

    Parameters
    ----------
    sequences
        Any; equal ones share all.
    """

    def __init__(self, sequences: Sequence[Actions]) -> None:
        children: list[dict[int, int]] = [{}]
        for sequence in sequences:
            node = 0
            for action in sequence:
                if action not in children[node]:
                    children[node][action] = len(children)
                    children.append({})
                node = children[node][action]
        self.parents: list[int] = []
        self.actions: list[int] = []
        place = {0: -1}
        waiting = [(0, action, child) for action, child in reversed(children[0].items())]
        while waiting:
            parent, action, node = waiting.pop()
            place[node] = len(self.parents)
            self.parents.append(place[parent])
            self.actions.append(action)
            waiting += [(node, action, child) for action, child in reversed(children[node].items())]
        self.paths = [self._path(children, place, sequence) for sequence in sequences]

    @staticmethod
    def _path(children: list[dict[int, int]], place: dict[int, int], sequence: Actions) -> list[int]:
        node, path = 0, []
        for action in sequence:
            node = children[node][action]
            path.append(place[node])
        return path

    def __len__(self) -> int:
        """Passes that have to be run."""
        return len(self.parents)

    def prefix(self, node: int) -> Actions:
        """The sequence that a node stands for."""
        found = []
        while node >= 0:
            found.append(self.actions[node])
            node = self.parents[node]
        return tuple(reversed(found))

    def with_ancestors(self, nodes: Iterable[int]) -> list[int]:
        """The nodes and all that they are reached by, in order."""
        wanted: set[int] = set()
        for node in nodes:
            while node >= 0 and node not in wanted:
                wanted.add(node)
                node = self.parents[node]
        return sorted(wanted)

    def without_what_follows(self, ends: Container[int]) -> list[int]:
        """All nodes but some, and those that are reached by them."""
        left: list[int] = []
        closed: set[int] = set()
        for node, parent in enumerate(self.parents):
            if node in ends or parent in closed:
                closed.add(node)
            else:
                left.append(node)
        return left
