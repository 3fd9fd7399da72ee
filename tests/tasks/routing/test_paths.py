"""What a user takes away of a path, and what is measured of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.routing.grids import CorrelatedTimes, grid_problem
from data.routing.own_graph import read_graph
from data.routing.path_file import to_csv
from runs.anytime import Trace
from solvers.base import Budget, Solution, Status
from solvers.routing.weighted_path import WeightedPath
from tasks.routing.measure import measure
from tasks.routing.paths import sentences
from tasks.routing.paths_figure import paths_figure

GRID = grid_problem(4, CorrelatedTimes(), 1.2, np.random.default_rng(0))
PATH = GRID.path([0, 1, 2, 3, 7, 11, 15])


def found(path: np.ndarray) -> Trace:
    trace = Trace(maximize=True)
    trace.record(0.1, 1, GRID.objective(path))
    return trace


def test_a_path_file_has_its_nodes_in_order_and_ends_with_its_probability() -> None:
    table = pd.read_csv(io.StringIO(to_csv(GRID, PATH)))
    assert table["node"].tolist() == [0, 1, 2, 3, 7, 11, 15]
    assert table["mean"].iloc[-1] == pytest.approx(PATH @ GRID.means)
    assert table["in_time"].iloc[-1] == pytest.approx(GRID.objective(PATH))
    assert table["mean"].is_monotonic_increasing


def test_names_of_nodes_stand_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "town.csv").write_text("from,to,mean,variance\nhome,mill,5,1\nmill,work,5,1\n", encoding="utf-8")
    town = read_graph(tmp_path / "town.csv", "home", "work", 11)
    assert pd.read_csv(io.StringIO(to_csv(town, np.array([1, 1]))))["node"].tolist() == ["home", "mill", "work"]


def test_of_a_path_its_probability_moments_and_the_oracles_work_are_measured() -> None:
    log = {"oracle_calls": np.array([2.0, 2.0]), "zero_gradient": np.array([1.0, 0.5]), "hamming": np.array([0.0, 4.0])}
    measured = measure(GRID, Solution(PATH, GRID.objective(PATH), True, Status.FEASIBLE, found(PATH), log))
    assert measured["probability"] == pytest.approx(GRID.objective(PATH))
    assert measured["mean_time"] == pytest.approx(PATH @ GRID.means)
    assert (measured["edges"], measured["oracle_calls"]) == (6, 4)
    assert (measured["zero_gradients"], measured["changed_variables"]) == (0.75, 2)


def test_without_a_path_the_probability_is_unknown() -> None:
    measured = measure(GRID, Solution(None, np.nan, False, Status.NO_SOLUTION, Trace(maximize=True)))
    assert np.isnan(measured["probability"])


def test_sentences_name_the_best_path_and_all_probabilities() -> None:
    let = WeightedPath(0).solve(GRID, budget=Budget(evaluations=1), rng=np.random.default_rng(0)).assignment
    assert let is not None
    first, second = sentences(GRID, {"let": let, "search": PATH}, "let")
    assert "from 0 to 15 over 6 edges" in first
    assert first.endswith("found by let")
    assert second.startswith("probabilities: let ")


def test_a_figure_is_a_png_where_nodes_have_places() -> None:
    picture = paths_figure(GRID, {"one": PATH}, {"one": found(PATH)})
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_a_graph_without_places_has_no_figure(tmp_path: Path) -> None:
    (tmp_path / "town.csv").write_text("from,to,mean,variance\nhome,mill,5,1\n", encoding="utf-8")
    assert paths_figure(read_graph(tmp_path / "town.csv", "home", "mill", 11), {}, {}) is None
