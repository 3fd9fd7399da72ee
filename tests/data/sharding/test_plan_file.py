"""Plans that go to a file come back; plans for something else are refused with what differs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan, column_offsets, is_splittable, split
from data.sharding.plan_file import read_plan, to_csv, to_frame
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.torchrec_file import sharding_plan, to_torchrec
from runs.errors import ConfigError, InvalidProblem, MissingDependency

TABLES = law_tables(4, seed=11)
PROBLEM = ShardingProblem("task", TABLES, np.array([64, 16, 128, 4]), np.full(3, 50 * GIB), gpu11())
PLAN = Plan((0, 2, 4, 2), (0, 1, 2, 1, 1, 0, 2, 0))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    dims, splits = PROBLEM.dims, []
    for _ in range(draw(st.integers(0, 6))):
        legal = [i for i, dim in enumerate(split(dims, splits)[1].tolist()) if is_splittable(dim)]
        splits.append(draw(st.sampled_from(legal)))
    devices = draw(st.lists(st.integers(0, 2), min_size=4 + len(splits), max_size=4 + len(splits)))
    return Plan(tuple(splits), tuple(devices))


def layout(plan: Plan) -> set[tuple[int, int, int, int]]:
    """Table, first column, dimension and device of every piece."""
    pieces, first = PROBLEM.pieces(plan), column_offsets(PROBLEM.dims, plan.splits)
    return set(zip(pieces.table.tolist(), first.tolist(), pieces.dim.tolist(), pieces.shard.tolist(), strict=True))


def written(path: Path, plan: Plan) -> Path:
    text = json.dumps(to_torchrec(PROBLEM, plan, "model.tables")) if path.suffix == ".json" else to_csv(PROBLEM, plan)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["plan.csv", "plan.json"])
@given(plan=plans())
def test_a_plan_comes_back_column_by_column(tmp_path_factory: pytest.TempPathFactory, name: str, plan: Plan) -> None:
    path = written(tmp_path_factory.getbasetemp() / name, plan)
    assert layout(read_plan(path, PROBLEM)) == layout(plan)


def test_pandas_reads_every_column_of_every_table_once(tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO(to_csv(PROBLEM, PLAN)))
    for name, rows in frame.groupby("table"):
        columns = np.concatenate([np.arange(row.first_column, row.first_column + row.dim) for row in rows.itertuples()])
        assert sorted(columns) == list(range(PROBLEM.dims[TABLES.names.index(str(name))]))
    np.testing.assert_allclose(frame.groupby("device")["gib"].sum(), PROBLEM.memory_used(PROBLEM.pieces(PLAN)) / GIB)


def test_three_columns_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    to_frame(PROBLEM, PLAN)[["table", "dim", "device"]].to_csv(path, index=False)
    found = read_plan(path, PROBLEM)
    assert PROBLEM.objective(found.array()) == pytest.approx(PROBLEM.objective(PLAN.array()), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tables": replace(TABLES, rows=TABLES.rows + np.array([0, 5, 0, 0]))}, "'table1' has rows"),
        ({"dims": np.array([64, 32, 128, 4])}, "'table1' has dim 16 there and 32 here"),
        ({"memory": np.full(4, 50 * GIB)}, "a plan for 3 devices, and there are 4"),
        ({"memory": np.full(3, 40 * GIB)}, "other memory or bytes"),
        ({"bytes_per_weight": 2}, "other memory or bytes"),
        (
            {"tables": replace(TABLES, names=("table0", "tabel1", "table2", "table3"))},
            "'table1', which is not here; did",
        ),
    ],
)
def test_a_plan_for_something_else_is_refused_with_what_differs(tmp_path: Path, changes: dict, says: str) -> None:
    path = written(tmp_path / "plan.csv", PLAN)
    with pytest.raises(InvalidProblem, match=says):
        read_plan(path, replace(PROBLEM, **changes))


def changed(tmp_path: Path, change: object) -> Path:
    frame = to_frame(PROBLEM, PLAN).drop(columns="task")
    path = tmp_path / "plan.csv"
    change(frame).to_csv(path, index=False)  # type: ignore[operator]
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame[frame["table"] != "table3"], "does not place table 'table3'"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "columns of table 'table0', which has 64"),
        (lambda frame: frame.drop(columns="device"), "no column 'device'"),
        (lambda frame: frame.assign(device=3), "uses device 3; there are 3, from 0"),
        (lambda frame: frame.assign(dim=2.5), "line 2: dim is '2.5'"),
        (lambda frame: frame.assign(device=-1), "line 2: device is '-1'"),
    ],
)
def test_a_plan_that_is_none_is_refused(tmp_path: Path, change: object, says: str) -> None:
    with pytest.raises(InvalidProblem, match=says):
        read_plan(changed(tmp_path, change), PROBLEM)


def test_pieces_that_are_no_halves_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("table,dim,device\ntable0,48,0\ntable0,16,1\ntable1,16,0\ntable2,128,2\ntable3,4,0\n")
    with pytest.raises(InvalidProblem, match="pieces of table 'table0' are no halves"):
        read_plan(path, PROBLEM)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("[]", "no plan of TorchRec"),
        ('{"plan": {"m": {"table0": {"sharding_type": "row_wise"}}}}', "'table0' has sharding_type 'row_wise'"),
        ('{"plan": {"m": {"table0": {"sharding_type": "table_wise"}}}}', "'table0' has no sharding_spec"),
        ('{"plan": {"m": {}}}', "places no table"),
    ],
)
def test_json_that_is_no_plan_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InvalidProblem, match=says):
        read_plan(path, PROBLEM)


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("plan.csv", "plan.json"):
        with pytest.raises(ConfigError, match=f"plan: .*{name} cannot be read"):
            read_plan(tmp_path / name, PROBLEM)


def test_torchrec_takes_the_plan() -> None:
    try:
        taken = sharding_plan(to_torchrec(PROBLEM, PLAN, "model.tables"))
    except MissingDependency as error:
        pytest.skip(str(error))
    found = {
        (TABLES.names.index(name), shard.shard_offsets[1], shard.shard_sizes[1], rank)
        for name, sharding in taken.plan["model.tables"].items()
        for rank, shard in zip(sharding.ranks, sharding.sharding_spec.shards, strict=True)
        if shard.placement.rank() == rank
    }
    assert found == layout(PLAN)
