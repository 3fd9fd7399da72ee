"""A user's tables: what is read, what is assumed, what is refused and where it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.own_tables import BIN_NAMES, UNLIMITED, counts_of_shares, read_tables
from data.sharding.own_task import OwnSharding, own_problem
from data.sharding.table_law import LookupLaw, law_tables
from runs.errors import ConfigError, InvalidProblem

HEAD = "name,rows,dim,pooling_factor"


def file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "tables.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_four_columns_are_enough_and_the_rest_is_typical(tmp_path: Path) -> None:
    found = read_tables(file(tmp_path, HEAD, "user,1000000,64,20", "item,5000,128,1.5"), batch=4096)
    assert found.tables.names == ("user", "item")
    assert found.dims.tolist() == [64, 128]
    assert found.bytes_per_weight.tolist() == [4, 4]
    assert found.pinned.tolist() == [-1, -1]
    assert found.most_pieces.tolist() == [UNLIMITED, UNLIMITED]
    law = LookupLaw.of_sizes(np.array([1_000_000, 5_000]), np.array([20, 1.5]), 4096).tables(["user", "item"], 4096)
    np.testing.assert_array_equal(found.tables.unique_bins, law.unique_bins)
    assert "typical" in found.notes[0]


def test_rules_of_a_table_are_read_and_an_empty_cell_is_none(tmp_path: Path) -> None:
    lines = (
        f"{HEAD};bytes;device;max_pieces;never_split".replace(",", ";"),
        "a;10;8;1,5;2;1;;",
        "b;10;8;0;;;2;yes",
        "c;10;8;0;;;2;0",
    )
    found = read_tables(file(tmp_path, *lines))
    assert found.tables.pooling_factor.tolist() == [1.5, 0, 0]
    assert found.bytes_per_weight.tolist() == [2, 4, 4]
    assert found.pinned.tolist() == [1, -1, -1]
    assert found.most_pieces.tolist() == [UNLIMITED, 1, 2]


def test_shares_of_the_law_s_own_tables_give_their_lookups_back_nearly() -> None:
    tables = law_tables(60, seed=4)
    unique, lookups, _ = counts_of_shares(tables.reuse_bins, tables.rows, tables.pooling_factor, tables.batch)
    np.testing.assert_allclose(lookups.sum(1), tables.batch * tables.pooling_factor)
    ratio = unique.sum(1) / tables.unique_bins.sum(1)
    assert np.median(np.abs(np.log(ratio))) < 0.1
    assert (unique.sum(1) <= tables.rows + 1e-6).all()


def test_bins_are_used_where_they_are_given(tmp_path: Path) -> None:
    once = ",".join(["1"] + ["0"] * 16)
    found = read_tables(
        file(tmp_path, f"{HEAD},{','.join(BIN_NAMES)}", f"a,1000000,8,2,{once}", f"b,10,8,2,{','.join(['0'] * 17)}"),
        batch=100,
    )
    assert found.tables.unique_bins[0].tolist() == [200] + [0] * 16
    assert found.tables.hot_row[0] == 1
    assert "1 of 2 tables have no bins" in found.notes[0]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((HEAD.replace("dim", "dims"), "a,1,4,1"), "has the column 'dims'; did you mean 'dim'"),
        (("name,rows,dim", "a,1,4"), "no column 'pooling_factor'"),
        ((HEAD, "a,1,4,1", "a,2,4,1"), "lines 2 and 3: two tables are called 'a'"),
        ((HEAD, "a,0,4,1"), "line 2: table 'a' has rows '0'; expected a whole number, at least 1"),
        ((HEAD, "b,1,4,1", "a,1.5,4,1"), "line 3: table 'a' has rows '1.5'"),
        ((HEAD, "a,1,6,1"), "has dim '6'; expected a positive multiple of 4"),
        ((HEAD, "a,1,4,-1"), "has pooling_factor '-1'; expected a number that is not negative"),
        ((HEAD, "a,1,4,many"), "has pooling_factor 'many'"),
        ((HEAD, ",1,4,1"), "has name ''; expected a name"),
        ((f"{HEAD},device", "a,1,4,1,x"), "has device 'x'"),
        ((f"{HEAD},never_split", "a,1,4,1,perhaps"), "has never_split 'perhaps'; expected true or false"),
        ((f"{HEAD},max_pieces", "a,1,4,1,0"), "has max_pieces '0'"),
        ((f"{HEAD},bin_0", "a,1,4,1,1"), "has 1 of the columns bin_0 to bin_16 and no bin_1"),
        ((f"{HEAD},{','.join(BIN_NAMES)}", "a,1,4,1" + ",.5" * 17), "table 'a' has bins that sum to 8.5"),
        ((HEAD,), "no row below"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_with_its_number_and_remedy(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    with pytest.raises(InvalidProblem) as error:
        read_tables(file(tmp_path, *lines))
    assert "tables.csv" in str(error.value)
    assert says in str(error.value)


def test_what_no_plan_can_hold_is_refused_before_any_search(tmp_path: Path) -> None:
    wide = read_tables(file(tmp_path, HEAD, "small,1000,64,1", "huge,400000000,128,1"))
    with pytest.raises(InvalidProblem, match=r"need 190\.7 GiB, and the 4 devices have 64; the largest is 'huge'"):
        own_problem(wide, gpu11(), 4, 16)
    whole = read_tables(file(tmp_path, f"{HEAD},never_split", "huge,40000000,128,1,yes"))
    with pytest.raises(InvalidProblem, match=r"'huge' needs 19\.07 GiB even in its finest pieces"):
        own_problem(whole, gpu11(), 4, 16)
    pinned = read_tables(file(tmp_path, f"{HEAD},device", "one,20000000,128,1,1", "two,20000000,128,1,1"))
    with pytest.raises(InvalidProblem, match=r"pinned to device 1 \(one, two\) needs 19\.07 GiB of its 16"):
        own_problem(pinned, gpu11(), 4, 16)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "one of them"),
        ({"path": "a", "module": "b:c"}, "one of them"),
        ({"path": "a", "devices": 0}, r"data\.devices is 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        OwnSharding(**({"device": gpu11(), "devices": 2, "memory_gib": 1} | settings))
