"""The means over the iterations of a search that the task reports."""

import numpy as np
import pytest

from runs.anytime import Trace
from solvers.base import Solution, Status
from tasks.ilp.measure import per_iteration


def solution(**log):
    return Solution(
        None, np.nan, False, Status.NO_SOLUTION, Trace(), {key: np.array(value) for key, value in log.items()}
    )


def test_means_and_shares_of_a_log():
    metrics = per_iteration(
        solution(
            free=[10, 20],
            lp_integral_share=[np.nan, 0.25],
            select_seconds=[3.0, 1.0],
            repair_seconds=[2.0, 1.0],
            overhead_seconds=[0.5, 0.5],
        )
    )
    assert metrics == pytest.approx(
        {
            "mean_free": 15.0,
            "mean_lp_integral_share": 0.25,
            "select_seconds_share": 0.5,
            "repair_seconds_share": 0.375,
            "overhead_seconds_share": 0.125,
        }
    )


def test_no_lp_no_share_and_no_iteration_no_metric():
    phases = {f"{phase}_seconds": [1.0] for phase in ("select", "repair", "overhead")}
    assert "mean_lp_integral_share" not in per_iteration(solution(free=[3], lp_integral_share=[np.nan], **phases))
    assert per_iteration(solution()) == {}
    assert per_iteration(solution(free=[], lp_integral_share=[])) == {}
