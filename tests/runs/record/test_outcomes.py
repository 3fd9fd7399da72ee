"""How searches ended, in words, and what cannot all be true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from runs.record.outcomes import contradictions, outcomes, without_optimum
from runs.record.run_folder import RESULT_COLUMNS

FLAGS = {
    "optimal": (1, 1, 0, 0),
    "feasible": (1, 0, 0, 0),
    "no solution": (0, 0, 0, 0),
    "infeasible": (0, 1, 1, 0),
    "unbounded": (1, 1, 0, 1),
}


def results(*searches: tuple[str, str, str, float]) -> pd.DataFrame:
    """(method, instance, status, objective) as a run records them."""
    rows = []
    for method, instance, status, objective in searches:
        names = ("feasible", "proved", "infeasible", "unbounded")
        metrics = dict(zip(names, map(float, FLAGS[status]), strict=True)) | {"primal_bound": objective}
        rows += [("lb_relax", "files", method, instance, 0, metric, value) for metric, value in metrics.items()]
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


def test_every_way_to_end_has_its_word() -> None:
    found = outcomes(results(*(("m", f"x/{status}", status, 1.0) for status in FLAGS)))
    assert {f"x/{status}" for status in found["status"]} == set(found["instance"])
    assert all(row.instance == f"x/{row.status}" for row in found.itertuples())
    assert found["dual_bound"].isna().all()


def test_results_of_no_search_have_no_outcome() -> None:
    frame = results(("m", "x/1", "optimal", 1.0))
    assert outcomes(frame[frame["metric"] == "primal_bound"]).empty
    assert outcomes(frame.iloc[:0]).empty
    assert without_optimum(outcomes(frame.iloc[:0])) == set()


def test_infeasible_and_unbounded_instances_have_no_optimum() -> None:
    found = outcomes(results(*(("m", f"x/{status}", status, np.nan) for status in FLAGS)))
    assert without_optimum(found) == {("lb_relax", "x/infeasible"), ("lb_relax", "x/unbounded")}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (("infeasible", np.nan), ("feasible", 3.0), "a proved it infeasible, but b found a solution"),
        (("unbounded", 1.0), ("optimal", 3.0), "a proved it unbounded, but b an optimum"),
        (("optimal", 1.0), ("optimal", 1.1), "a, b proved different optima, 1 and 1.1"),
        (("optimal", 1e6), ("optimal", 1e6 + 1), ""),
        (("optimal", 1.0), ("feasible", 3.0), ""),
        (("infeasible", np.nan), ("no solution", np.nan), ""),
        (("infeasible", np.nan), ("infeasible", np.nan), ""),
    ],
)
def test_methods_that_contradict_each_other_are_named(one, other, said) -> None:
    found = contradictions(outcomes(results(("a", "x/1", *one), ("b", "x/1", *other))))
    assert found == ([f"x/1: {said}"] if said else [])


@pytest.mark.parametrize(
    ("maximize", "bound", "said"),
    [
        (False, 11.0, "x/1: a proved the bound 11, but b found a solution of 10"),
        (False, 10.00001, ""),
        (False, 9.0, ""),
        (True, 9.0, "x/1: a proved the bound 9, but b found a solution of 10"),
        (True, 11.0, ""),
        (None, 11.0, ""),
    ],
)
def test_a_solution_beyond_a_proved_bound_contradicts_it(maximize: bool | None, bound: float, said: str) -> None:
    frame = results(("a", "x/1", "no solution", np.nan), ("b", "x/1", "feasible", 10.0))
    proof = ("lb_relax", "files", "a", "x/1", 0, "dual_bound", bound)
    found = outcomes(pd.concat([frame, pd.DataFrame([proof], columns=RESULT_COLUMNS)]))
    senses = {} if maximize is None else {("lb_relax", "x/1"): maximize}
    assert contradictions(found, senses) == ([said] if said else [])
