"""From a problem to its static features: rows, root LP, features."""

from __future__ import annotations

import time
from typing import Literal

from data.ilp.features.static import StaticFeatures, static_features
from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.milp.root_lp import solve_root_lp
from solvers.milp.root_rows import root_rows


def root_features(
    problem: ILP,
    seconds: float | None = None,
    algorithm: str = "auto",
    rows: Literal["constraints", "lp"] = "constraints",
) -> StaticFeatures:
    """Static features of a minimisation within ``seconds``.

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
    if rows not in ("constraints", "lp"):
        raise ConfigError(f"features.rows is '{rows}'; choose 'constraints' or 'lp'")
    if rows == "constraints":
        return static_features(problem, solve_root_lp(problem, seconds, algorithm))
    began = time.monotonic()
    cut = root_rows(problem, seconds)
    left = None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
    return static_features(cut.problem, solve_root_lp(cut.problem, left, algorithm), cut.origin)
