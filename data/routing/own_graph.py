"""A graph of one's own: a CSV file, a line an edge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data.csv_cells import Cells, cells_of, number_of
from data.modules import OneProblem, ProblemData
from data.routing.problem import Loss, RoutingProblem
from runs.errors import ConfigError, InvalidProblem, nearest
from runs.text import printable

COLUMNS = ("from", "to", "mean", "variance")


def read_graph(path: Path | str, source: str, target: str, deadline: float, loss: Loss = "score") -> RoutingProblem:
    """The problem of a file with the columns ``from, to, mean, variance``: two names of nodes, and of the time between them.

    An edge runs both ways and stands once. Nodes are numbered as they appear.

    Parameters
    ----------
    path
        CSV.
    source, target
        Names of nodes.
    deadline
        In the unit of the means.
    loss
        See :class:`data.routing.problem.RoutingProblem`.

    Raises
    ------
    ConfigError
        The file cannot be read, or has no node of that name.
    InvalidProblem
        A column is missing or unknown, a value is none, an edge stands twice, or no path leads to the target: names file and
        line.
    """
    file = Path(path).expanduser()
    cells = cells_of(file)
    where = printable(str(file))
    for name in cells:
        if name not in COLUMNS:
            raise InvalidProblem(
                f"{where} has the column '{printable(name)}'{nearest(name, COLUMNS)}; leave others out"
            )
    if missing := [name for name in COLUMNS if name not in cells]:
        raise InvalidProblem(f"{where} has no column '{missing[0]}'; it needs {', '.join(COLUMNS)}")
    pairs = list(zip(cells["from"].tolist(), cells["to"].tolist(), strict=True))
    _refuse_pairs(where, pairs)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(name for pair in pairs for name in pair))}
    ends = {}
    for setting, name in (("source", source), ("target", target)):
        if name not in numbers:
            raise ConfigError(f"data.{setting}: {where} has no node '{printable(name)}'{_near(name, list(numbers))}")
        ends[setting] = numbers[name]
    variance = "a positive number, a small one for an edge that always takes the same time"
    problem = RoutingProblem(
        file.stem,
        np.array([numbers[tail] for tail, _ in pairs]),
        np.array([numbers[head] for _, head in pairs]),
        len(numbers),
        _numbers(where, cells, "mean", lambda value: value >= 0, "a number that is not negative"),
        _numbers(where, cells, "variance", lambda value: value > 0, variance),
        ends["source"],
        ends["target"],
        float(deadline),
        loss=loss,
        labels=tuple(printable(name) for name in numbers),
    )
    problem.validate()
    return problem


def _near(name: str, names: list[str]) -> str:
    return nearest(name, names, f"the file has {len(names)}, the first is '{printable(names[0])}'")


def _refuse_pairs(where: str, pairs: list[tuple[str, str]]) -> None:
    lines: dict[frozenset[str], int] = {}
    for line, pair in enumerate(pairs, 2):
        if "" in pair:
            raise InvalidProblem(
                f"{where}, line {line} has no name under '{COLUMNS[pair.index('')]}'; give every node one"
            )
        if pair[0] == pair[1]:
            raise InvalidProblem(f"{where}, line {line} joins '{printable(pair[0])}' to itself; leave it out")
        first = lines.setdefault(frozenset(pair), line)
        if first < line:
            joined = " and ".join(f"'{printable(name)}'" for name in pair)
            raise InvalidProblem(
                f"{where}, lines {first} and {line} both join {joined}; an edge runs both ways and stands once"
            )


def _numbers(
    where: str, cells: Cells, column: str, right: Callable[[float], bool], expected: str
) -> Float[np.ndarray, " edges"]:
    found = np.empty(len(cells[column]))
    for i, text in enumerate(cells[column].tolist()):
        value = number_of(text)
        if value is None or not right(value):
            edge = f"{printable(cells['from'].tolist()[i])} - {printable(cells['to'].tolist()[i])}"
            raise InvalidProblem(
                f"{where}, line {i + 2}: edge {edge} has {column} '{printable(text)}'; expected {expected}"
            )
        found[i] = value
    return found


class OwnGraph(ProblemData):
    """The graph of a CSV file.

    ``test_problems`` holds one item ``(0, RoutingProblem)``.

    Parameters
    ----------
    path, source, target, deadline, loss
        See :func:`read_graph`.
    name
        Of the graph.

    Raises
    ------
    ConfigError
        A setting is missing.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        path: str | None = None,
        source: str | int | float | None = None,
        target: str | int | float | None = None,
        deadline: float | None = None,
        loss: Loss = "score",
        name: str = "own",
    ) -> None:
        super().__init__()
        if path is None or source is None or target is None or deadline is None:
            given = {"path": path, "source": source, "target": target, "deadline": deadline}
            absent = next(setting for setting, value in given.items() if value is None)
            raise ConfigError(
                f"data.{absent} is missing; give data.path, a CSV file with the columns {', '.join(COLUMNS)}, data.source "
                "and data.target, two of its nodes, and data.deadline, the time allowed"
            )
        self.path, self.source, self.target = path, str(source), str(target)
        self.deadline, self.loss, self.name = deadline, loss, name

    def setup(self, stage: str | None = None) -> None:
        """Read the graph and check it.

        Raises
        ------
        InvalidProblem
            See :func:`read_graph`.
        """
        if self.test_problems is None:
            self.test_problems = OneProblem(read_graph(self.path, self.source, self.target, self.deadline, self.loss))
