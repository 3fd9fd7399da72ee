"""Graphs as the service gives them: ProGraML's, as JSON of networkx."""

from __future__ import annotations

import json

import numpy as np

from data.compiler.program_graph import RELATIONS, ProgramGraph
from data.graphs.relational import RelationalGraph
from runs.errors import InvalidProblem

_NODE_FEATURES = ("type", "function", "block")


def read_programl(content: bytes, name: str) -> ProgramGraph:
    """The graph, with nodes in their order.

    Parameters
    ----------
    content
        An object with ``nodes`` (``text``, ``type``, ``function``, ``block``) and ``links`` (``source``, ``target``,
        ``flow``, ``position``).
    name
        Of the program, for messages.

    Raises
    ------
    InvalidProblem
        It is of another form.
    """
    try:
        found = json.loads(content)
        nodes, links = found["nodes"], found["links"]
        texts, text = np.unique([str(node["text"]) for node in nodes], return_inverse=True)
        features = {key: np.array([node[key] for node in nodes], np.int64) for key in _NODE_FEATURES}
        source, target, flow, position = (
            np.array([link[key] for link in links], np.int64) for key in ("source", "target", "flow", "position")
        )
        if len(flow) and not 0 <= flow.min() <= flow.max() < len(RELATIONS):
            raise ValueError(f"there are no edges of kind {flow.max()}")
        graph = RelationalGraph.of(
            len(nodes),
            {name: (source[flow == i], target[flow == i]) for i, name in enumerate(RELATIONS)},
            {"text": text.astype(np.int64), **features},
            {name: {"position": position[flow == i]} for i, name in enumerate(RELATIONS)},
        )
    except (ValueError, TypeError, KeyError, OverflowError, InvalidProblem) as error:
        raise InvalidProblem(f"{name}: its graph cannot be had ({error}); leave it out") from error
    return ProgramGraph(graph, tuple(texts.tolist()))
