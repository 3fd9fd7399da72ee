"""From a problem to its static features: rows, root LP, features."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from data.ilp.features.static import StaticFeatures, static_features
from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP
from data.ilp.root_rows import RootRows
from runs.errors import ConfigError
from solvers.milp.root_lp import solve_root_lp
from solvers.milp.root_rows import root_rows

RowKind = Literal["constraints", "lp"]


class RootNode(NamedTuple):
    """What static features are made from: the root LP, and its rows where they are not the problem's own."""

    lp: RootLP
    rows: RootRows | None


def check_rows(rows: RowKind, field: str) -> None:
    """Refuse another word than ``constraints`` and ``lp``.

    Raises
    ------
    ConfigError
        Names ``field``.
    """
    if rows not in ("constraints", "lp"):
        raise ConfigError(f"{field} is '{rows}'; choose 'constraints' or 'lp'")


def root_node(
    problem: ILP, seconds: float | None = None, algorithm: str = "auto", rows: RowKind = "constraints"
) -> RootNode:
    """Root LP of a minimisation within ``seconds``.

    Parameters
    ----------
    algorithm
        See :func:`solvers.milp.root_lp.solve_root_lp`, which tells the errors too.
    rows
        What the row nodes are: the problem's ``constraints``, or the rows of SCIP's root ``lp`` after its cuts
        (:func:`solvers.milp.root_rows.root_rows`).

    Raises
    ------
    ConfigError
        ``rows`` is another word.
    """
    check_rows(rows, "rows")
    if rows == "constraints":
        return RootNode(solve_root_lp(problem, seconds, algorithm), None)
    began = time.monotonic()
    cut = root_rows(problem, seconds)
    left = None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
    return RootNode(solve_root_lp(cut.of(problem), left, algorithm), cut)


def root_features(
    problem: ILP, seconds: float | None = None, algorithm: str = "auto", rows: RowKind = "constraints"
) -> StaticFeatures:
    """Static features at :func:`root_node`, which tells parameters and errors."""
    return static_features(problem, *root_node(problem, seconds, algorithm, rows))
