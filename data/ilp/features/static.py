"""Features that do not change in a search: 95 a variable, 10 a one-sided row, 2 an edge (docs/papers/cl_lns.md#3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data.ilp.features.gasse import gasse_features
from data.ilp.features.geometry import Geometry
from data.ilp.features.khalil import khalil_features
from data.ilp.features.rows import edge_features, row_features
from data.ilp.graph import BipartiteGraph, bipartite_graph
from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP
from data.ilp.root_rows import RootRows
from runs.errors import InvalidProblem


@dataclass(frozen=True, eq=False)
class StaticFeatures:
    """The bipartite graph with its static features.

    Parameters
    ----------
    variables
        (n, 95) float32, "Gasse" columns 0 to 22, "Khalil" columns 23 to 94.
    rows
        (R, 10) float32.
    edges
        (E, 2) float32.
    graph
        Where rows and edges belong.
    """

    variables: np.ndarray
    rows: np.ndarray
    edges: np.ndarray
    graph: BipartiteGraph


def static_features(problem: ILP, lp: RootLP, root_rows: RootRows | None = None) -> StaticFeatures:
    """Graph and features of a minimisation at its root LP, calculated in float64; O(nonzeros), no loop over variables.

    Parameters
    ----------
    problem
        n variables, m rows; a minimisation.
    lp
        Its root LP.
    root_rows
        The rows of ``lp`` where they are not the problem's own; they are the row nodes then.

    Raises
    ------
    InvalidProblem
        A feature is not a finite float32 (names column and variable, row or edge), the problem is a maximisation, or
        ``lp`` is another problem's.
    """
    if problem.maximize:
        raise InvalidProblem(f"{problem.name}: features are of minimisations; pass problem.to_min() and its root LP")
    if root_rows is not None:
        problem = root_rows.of(problem)
    if len(lp.x) != problem.n or len(lp.duals) != problem.m:
        raise InvalidProblem(
            f"{problem.name}: the root LP has {len(lp.x)} variables and {len(lp.duals)} rows, "
            f"the problem {problem.n} and {problem.m}; solve the LP of this problem"
        )
    geometry, graph = Geometry(problem, lp), bipartite_graph(problem)

    def describe_edge(k: int) -> str:
        node, variable = graph.edge_index[:, k]
        return f"{problem.describe_row(int(graph.row[node]))}, {problem.describe_variable(int(variable))}"

    with np.errstate(over="ignore"):  # what overflows is refused below, by name
        variables = gasse_features(geometry) | khalil_features(geometry)
        rows = row_features(geometry, graph, None if root_rows is None else root_rows.origin)
        edges = edge_features(geometry, graph)
        return StaticFeatures(
            _table(problem, variables, problem.describe_variable),
            _table(problem, rows, lambda i: problem.describe_row(int(graph.row[i]))),
            _table(problem, edges, describe_edge),
            graph,
        )


def _table(problem: ILP, columns: Mapping[str, np.ndarray], describe: Callable[[int], str]) -> np.ndarray:
    """Columns side by side as float32, all finite."""
    exact = np.stack([np.asarray(column, np.float64) for column in columns.values()])
    table = exact.T.astype(np.float32, order="C")
    if np.isfinite(table).all():
        return table
    index, column = (int(position) for position in np.argwhere(~np.isfinite(table))[0])
    raise InvalidProblem(
        f"{problem.name}: feature column {column} ({list(columns)[column]}) of {describe(index)} is "
        f"{exact[column, index]:.6g}, no finite 32-bit number; rescale the objective, the row or the variable"
    )
