"""Plans as files that other tools read, and back: CSV, a line a piece, and the JSON of TorchRec (docs/sharding.md)."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from data.csv_cells import cells_of, number_of
from data.sharding.plan import Pieces, Plan, column_offsets
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.torchrec_file import of_torchrec
from runs.errors import ConfigError, InvalidProblem, nearest
from runs.text import printable

COLUMNS = ["table", "first_column", "dim", "device", "gib", "table_rows", "table_dim", "devices", "task"]
"""Of a plan's CSV: a piece has ``dim`` columns of its table from ``first_column`` on; ``task`` is :func:`identity`."""
NEEDED = ("table", "dim", "device")


def identity(problem: ShardingProblem) -> str:
    """What a plan is for: names, rows, dimensions and bytes of the tables, and the memory of the devices, as a hash."""
    tables = problem.tables
    facts = {
        "names": tables.names,
        "rows": tables.rows.tolist(),
        "dims": problem.dims.tolist(),
        "bytes": problem.column_bytes.tolist(),
        "memory": problem.memory.tolist(),
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def to_frame(problem: ShardingProblem, plan: Plan) -> pd.DataFrame:
    """:data:`COLUMNS`, a row a piece, table after table."""
    pieces, first = problem.pieces(plan), column_offsets(problem.dims, plan.splits)
    order = np.lexsort((first, pieces.table))
    table, dim = pieces.table[order], pieces.dim[order]
    return pd.DataFrame(
        {
            "table": [problem.tables.names[i] for i in table],
            "first_column": first[order],
            "dim": dim,
            "device": pieces.shard[order],
            "gib": problem.column_bytes[table] * dim / GIB,
            "table_rows": problem.tables.rows[table],
            "table_dim": problem.dims[table],
            "devices": problem.devices,
            "task": identity(problem),
        }
    )[COLUMNS]


def to_csv(problem: ShardingProblem, plan: Plan) -> str:
    """The plan as CSV."""
    buffer = io.StringIO()
    to_frame(problem, plan).to_csv(buffer, index=False)
    return buffer.getvalue()


def read_plan(path: Path | str, problem: ShardingProblem) -> Plan:
    """A plan of any origin: CSV with the columns ``table, dim, device``, and what else :func:`to_csv` writes, or TorchRec's
    JSON.

    Raises
    ------
    ConfigError
        The file cannot be read.
    InvalidProblem
        It is no plan, or one for other tables or devices: says what differs.
    """
    file = Path(path).expanduser()
    where = printable(str(file))
    if file.suffix.lower() == ".json":
        try:
            content = json.loads(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"plan: {where} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidProblem(f"{where} is no JSON: {error}") from error
        frame = of_torchrec(content, where)
    else:
        frame = _of_csv(file, where)
    return _plan(frame, problem, where)


def _of_csv(file: Path, where: str) -> pd.DataFrame:
    cells = cells_of(file, "plan")
    for name in NEEDED:
        if name not in cells:
            raise InvalidProblem(
                f"{where} has no column '{name}'{nearest(name, list(cells))}; a plan has {', '.join(NEEDED)}"
            )
    columns: dict[str, list[object]] = {"table": cells["table"].tolist()}
    for name in COLUMNS[1:]:
        if name == "task" or name not in cells:
            continue
        columns[name] = []
        for line, text in enumerate(cells[name].tolist(), 2):
            value = number_of(text)
            if value is None or (name != "gib" and (value != round(value) or value < 0)):
                raise InvalidProblem(f"{where}, line {line}: {name} is '{printable(text)}'; expected a whole number")
            columns[name].append(value if name == "gib" else int(value))
    if "task" in cells:
        columns["task"] = cells["task"].tolist()
    return pd.DataFrame(columns)


def _plan(frame: pd.DataFrame, problem: ShardingProblem, where: str) -> Plan:
    """The plan that leaves these pieces, after a look at whether they are of this task."""
    names = {name: index for index, name in enumerate(problem.tables.names)}
    for name in frame["table"]:
        if name not in names:
            raise InvalidProblem(
                f"{where} places table '{printable(name)}', which is not here{nearest(name, list(names))}"
            )
    if missing := [name for name in names if name not in set(frame["table"])]:
        raise InvalidProblem(
            f"{where} does not place table '{printable(missing[0])}'; it is a plan for other tables, or incomplete"
        )
    table = np.array([names[name] for name in frame["table"]], np.int64)
    for column, here in (("table_rows", problem.tables.rows), ("table_dim", problem.dims)):
        if column in frame:
            there = frame[column].to_numpy()
            if (there != here[table]).any():
                i = int(np.argmax(there != here[table]))
                raise InvalidProblem(
                    f"{where} is a plan for other tables: '{printable(frame['table'][i])}' has {column[6:]} {there[i]} there"
                    f" and {here[table[i]]} here"
                )
    if "devices" in frame and (frame["devices"] != problem.devices).any():
        raise InvalidProblem(
            f"{where} is a plan for {frame['devices'].iloc[0]} devices, and there are {problem.devices} here"
        )
    device, dim = frame["device"].to_numpy(np.int64), frame["dim"].to_numpy(np.int64)
    if (device >= problem.devices).any():
        raise InvalidProblem(f"{where} uses device {device.max()}; there are {problem.devices}, from 0")
    held = np.bincount(table, weights=dim, minlength=len(names))
    if (held != problem.dims).any():
        i = int(np.argmax(held != problem.dims))
        raise InvalidProblem(
            f"{where} places {held[i]:.0f} columns of table '{problem.tables.names[i]}', which has {problem.dims[i]}"
        )
    if "task" in frame and (frame["task"] != identity(problem)).any():
        raise InvalidProblem(
            f"{where} is a plan for other memory or bytes of a weight: its task is {printable(str(frame['task'].iloc[0]))}, "
            f"and this one {identity(problem)}; leave out the column 'task' to use it nevertheless"
        )
    pieces = Pieces(table, dim, device)
    try:
        if "first_column" in frame and (
            aligned := _aligned(problem.dims, pieces, frame["first_column"].to_numpy(np.int64))
        ):
            return aligned
        return Plan.of_pieces(problem.dims, pieces)
    except InvalidProblem as error:
        raise InvalidProblem(f"{where}: {_named(str(error), problem)}") from error


def _aligned(dims: np.ndarray, pieces: Pieces, first: np.ndarray) -> Plan | None:
    """The plan that leaves each piece at its own columns; None where halving leads to other ones."""
    wanted = dict(
        zip(
            zip(pieces.table.tolist(), first.tolist(), pieces.dim.tolist(), strict=True),
            pieces.shard.tolist(),
            strict=True,
        )
    )
    current = [(table, 0, int(dim)) for table, dim in enumerate(dims)]
    splits, place = [], 0
    while place < len(current):
        table, at, dim = current[place]
        if (table, at, dim) in wanted:
            place += 1
            continue
        if dim % 8:
            return None
        splits.append(place)
        current[place] = table, at, dim // 2
        current.append((table, at + dim // 2, dim // 2))
    if len(current) != len(pieces.table):
        return None
    return Plan(tuple(splits), tuple(wanted[piece] for piece in current))


def _named(message: str, problem: ShardingProblem) -> str:
    """A message of a plan, which knows tables by number, with their names."""
    return re.sub(r"table (\d+)", lambda found: f"table '{printable(problem.tables.names[int(found[1])])}'", message)
