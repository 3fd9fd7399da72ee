"""The 10 features of a one-sided row and the 2 of an edge (docs/papers/cl_lns.md#3.5)."""

from __future__ import annotations

import numpy as np

from data.ilp.features.gasse import AGE_SCALE
from data.ilp.features.geometry import EPS, Geometry
from data.ilp.graph import BipartiteGraph
from data.ilp.root_lp import BasisStatus

CONSTRAINT = 2
"""SCIP's code of a row that comes from a constraint."""


def row_features(geometry: Geometry, graph: BipartiteGraph, origin: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Name to (R,) column, in order; ``origin`` (m,) holds SCIP's codes of where rows come from (None: constraints)."""
    problem, lp = geometry.problem, geometry.lp
    row, sign = graph.row, graph.sign
    norm = geometry.row_norms[row]
    tight = np.where(sign < 0, geometry.at_low[row], geometry.at_high[row])
    cosine = sign * np.asarray(problem.A @ problem.c)[row] / (norm * geometry.objective_norm)
    broken = ~problem.integer[problem.A.indices] | (problem.A.data != np.rint(problem.A.data))
    codes = np.full(problem.m, CONSTRAINT) if origin is None else origin
    return {
        "side": graph.side,
        "side_sign": np.sign(graph.side),
        "constant": np.zeros(len(row)),
        "origin": codes[row],
        "is_integral": geometry.row_segments.sum(broken)[row] == 0,
        "side_by_norm": graph.side / norm,
        "cosine_with_objective": cosine,
        "is_tight": tight,
        "dual_by_norms": sign * lp.duals[row] / (norm * geometry.objective_norm),
        "age": (lp.row_status == BasisStatus.BASIC)[row] * AGE_SCALE,
    }


def edge_features(geometry: Geometry, graph: BipartiteGraph) -> dict[str, np.ndarray]:
    """Name to (E,) column: the signed coefficient over its row's norm, and that over max(eps, |side|)."""
    node = graph.edge_index[0]
    coefficient = graph.coefficient / geometry.row_norms[graph.row][node]
    return {
        "coefficient_by_norm": coefficient,
        "coefficient_by_norm_and_side": coefficient / np.maximum(EPS, np.abs(graph.side))[node],
    }
