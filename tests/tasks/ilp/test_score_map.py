"""Scores beside local branching's sets: AUC and recall by definition, the files of an instance, bad settings."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.destroy.random import Random
from solvers.lns.destroy.scored import Scored
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.milp.highs import Highs
from tasks.ilp.score_map import ScoreMaps
from tasks.ilp.score_map_page import score_map_page
from tasks.ilp.scored_incumbent import ScoredIncumbent

pytest.importorskip("highspy")


def incumbent(scores: list[float], best: list[bool]) -> ScoredIncumbent:
    n = len(scores)
    return ScoredIncumbent(np.arange(n), np.zeros(n), np.array(scores, float), np.array(best), 1.0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12))
def test_auc_is_the_share_of_pairs_in_order_and_ties_count_half(drawn: list[tuple[int, bool]]) -> None:
    members = [score for score, best in drawn if best]
    others = [score for score, best in drawn if not best]
    if not members or not others:
        return
    pairs = [1.0 if a > b else 0.5 * (a == b) for a, b in product(members, others)]
    one = incumbent([100.0 * score for score, _ in drawn], [best for _, best in drawn])
    assert one.auc() == pytest.approx(np.mean(pairs), abs=1e-6)


def test_recall_counts_members_among_the_highest_scores_ties_in_order() -> None:
    one = incumbent([5, 1, 3, 3, 2], [True, False, False, True, False])
    assert [one.recall(k) for k in (1, 2, 3, 5)] == [0.5, 0.5, 1.0, 1.0]


class Worth:
    """Scores what a variable would gain."""

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return -problem.c * (1 - 2 * incumbent)


class Empty:
    def solve(self, problem: ILP, **options: Any) -> Any:
        return SimpleNamespace(assignment=options["initial"] if options["initial"] is not None else np.zeros(problem.n))


def packing() -> ILP:
    """max x0 + 5 x1 + 3 x2 with no row that binds; from nothing, the best set of two is {1, 2}."""
    names = ("a", "<b>", "c")
    A = np.ones((1, 3))
    return ILP.build([1, 5, 3], A, -np.inf, 3, 0, 1, True, maximize=True, var_names=names, name="packing")


def task(scorer: Any, solver: Any = None, reference: Any = None, size: int = 2) -> ScoreMaps:
    solver = solver or LargeNeighborhoodSearch(Scored(scorer), Highs())
    reference = reference or LargeNeighborhoodSearch(LocalBranching(Highs()), Highs())
    return ScoreMaps(solver, Empty(), reference, size=size, seed=0, incumbents=2, between=1)  # type: ignore[arg-type]


def test_an_instance_is_mapped_beside_the_set_of_local_branching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScoreMaps, "folder", tmp_path)
    result = task(Worth()).result(0, "set/packing", packing())
    assert result.metrics == {
        "auc": 1.0,
        "recall_at_k": 1.0,
        "recall_at_best_size": 1.0,
        "best_size": 2.0,
        "incumbents_improved": 2.0,
    }
    (figure,) = (tmp_path / "figures").glob("score_map_set_packing-*.png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / f"{figure.stem}.html").read_text()
    rows = [line.split("</tr>")[0] for line in page.split("<tr")[1:]]
    best = [row for row in rows if "class=best" in row]
    assert len(best) == 4
    assert all("&lt;b&gt;" in row or "&#x27;c&#x27;" in row for row in best)
    assert "<b>" not in page


def test_members_of_the_set_are_listed_however_low_their_scores() -> None:
    n = 500
    one = incumbent(list(range(n, 0, -1)), [False] * (n - 1) + [True])
    page = score_map_page([one], ILP.build(np.ones(n), np.ones((1, n))), 10, "many")
    assert page.count("<tr") == 1 + 200 + 1
    assert "<td>500</td><td>variable 499</td>" in page


def test_other_solvers_and_a_missing_scorer_are_refused() -> None:
    random = LargeNeighborhoodSearch(Random(), Highs())
    with pytest.raises(ConfigError, match="needs solver=lns/scored"):
        task(Worth(), solver=random)
    with pytest.raises(ConfigError, match="with local branching"):
        task(Worth(), reference=random)
    with pytest.raises(ConfigError, match=r"solver\.destroy\.scorer is null"):
        task(None)
    with pytest.raises(ConfigError, match=r"task\.size is 0"):
        task(Worth(), size=0)
