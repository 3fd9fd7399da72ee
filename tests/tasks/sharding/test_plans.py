"""Which plan a user takes away."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data.sharding.plan import Plan
from data.sharding.plan_file import to_csv
from runs.record.kept_files import kept_files, told
from solvers.sharding.greedy import Greedy
from tasks.sharding.plans import ShardingPlans, best_rule
from tests.solvers.sharding.tiny import tiny


class Fixed:
    """Puts every table on one device."""

    def solve(self, problem: object, **settings: object) -> object:
        found = Greedy("dim").solve(problem, **settings)  # type: ignore[arg-type]
        plan = Plan((), (0,) * len(problem.dims))  # type: ignore[attr-defined]
        return found.__class__(plan.array(), np.nan, True, found.status, found.trace)


@pytest.mark.parametrize("beside", [{}, {"other": Greedy("lookup")}])
def test_the_cheapest_plan_of_all_is_kept_and_whose_it_is_is_said(
    beside: dict[str, Greedy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = tiny(1, tables=6, devices=3, slack=10.0)
    task = ShardingPlans(Fixed(), {"seconds": 5}, 0, beside=beside)  # type: ignore[arg-type]
    data = SimpleNamespace(name="set", test_problems=[problem], problem_optimum=lambda name: None)
    task.trainer = SimpleNamespace(default_root_dir=str(tmp_path), datamodule=data)  # type: ignore[assignment]
    found = task.result(0, "set/a", problem)
    rule, plan = best_rule(problem)
    assert plan is not None and found.metrics["gain"] < 0
    kept = {path.name: path for path in kept_files(tmp_path)}
    assert kept["plan.csv"].read_bytes() == to_csv(problem, plan).encode()
    assert any(
        f"that is kept is that of best greedy rule ({rule})" in line or "of other" in line for line in told(tmp_path)
    )
