"""A file of edges is read, or refused by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.routing.own_graph import OwnGraph, read_graph
from runs.errors import ConfigError, InvalidProblem

TOWN = "from,to,mean,variance\nhome,mill,5,1\nmill,work,5,1\nhome,bridge,4,6\nbridge,work,4,6\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "town.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_becomes_a_problem_with_its_names(tmp_path: Path) -> None:
    data = OwnGraph(str(written(tmp_path, TOWN)), "home", "work", 11)
    data.setup()
    assert data.test_problems is not None
    index, problem = data.test_problems[0]
    assert (index, problem.name, problem.nodes, problem.variables) == (0, "town", 4, 4)
    assert problem.scores(np.array([[1, 1, 0, 0]])) == pytest.approx([1 / np.sqrt(2)])
    assert problem.edge_label(2) == "home - bridge"


def test_numbers_name_nodes_too_and_semicolons_separate(tmp_path: Path) -> None:
    path = written(tmp_path, "from;to;mean;variance\n1;2;0,5;0,1\n2;3;0,5;0,1\n")
    data = OwnGraph(str(path), 1, 3, 1.0)
    data.setup()
    assert data.test_problems is not None
    assert data.test_problems[0][1].means.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOWN.replace("mean", "time"), "has the column 'time'"),
        ("from,to,mean\na,b,1\n", "has no column 'variance'; it needs from, to, mean, variance"),
        (TOWN.replace("5,1", "5,-1", 1), "line 2: edge home - mill has variance '-1'; expected a positive number"),
        (
            TOWN.replace("5,1", "5,0", 1),
            "line 2: edge home - mill has variance '0'; expected a positive number, a small",
        ),
        (
            TOWN.replace("4,6", "x,6", 1),
            "line 4: edge home - bridge has mean 'x'; expected a number that is not negative",
        ),
        (TOWN + "mill,home,1,1\n", "lines 2 and 6 both join 'mill' and 'home'; an edge runs both ways"),
        (TOWN + "mill,mill,1,1\n", "line 6 joins 'mill' to itself"),
        (TOWN + "mill,,1,1\n", "line 6 has no name under 'to'"),
        (
            TOWN.replace("mill,work", "mill,inn").replace("bridge,work", "yard,work"),
            "no path leads from 'home' to 'work'",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidProblem, match=said):
        read_graph(written(tmp_path, text), "home", "work", 1.0)


def test_an_unknown_node_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.target: .*town.csv has no node 'wrk'; did you mean 'work'\?"):
        read_graph(written(tmp_path, TOWN), "home", "wrk", 1.0)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data.deadline is missing; give data.path"):
        OwnGraph("town.csv", "home", "work")
    with pytest.raises(ConfigError, match=r"data.path is missing"):
        OwnGraph()
