"""Files of lookups: what is found of their tables, and every way in which they can be wrong."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import data.sharding.lookup_file
from data.sharding.lookup_file import file_tables
from runs.errors import InvalidProblem

LENGTHS = torch.tensor([[2, 0, 1], [1, 1, 2]])
OFFSETS = torch.tensor([0, 2, 2, 3, 4, 5, 7])
INDICES = torch.tensor([7, 7, 250, 3, 3, 3, 9])


def written(path: Path, content: Any, packed: bool = True) -> Path:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(gzip.compress(buffer.getvalue()) if packed else buffer.getvalue())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "two.pt.gz", (INDICES, OFFSETS, LENGTHS))


def test_rows_pooling_and_bins_are_counted_by_table(file: Path) -> None:
    tables = file_tables(file)
    tables.validate()
    assert tables.names == ("table0", "table1") and tables.batch == 3
    assert tables.rows.tolist() == [251, 100]
    assert tables.pooling_factor.tolist() == [1.0, pytest.approx(4 / 3)]
    assert tables.unique_bins[:, :4].tolist() == [[1, 1, 0, 0], [1, 0, 1, 0]]
    assert tables.lookup_bins[:, :4].tolist() == [[1, 2, 0, 0], [1, 0, 3, 0]]
    assert tables.hot_row.tolist() == [2, 3]
    assert not tables.unique_bins[:, 4:].any()


def test_what_was_found_is_kept_by_content(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = file_tables(file, cache=tmp_path / "cache")
    monkeypatch.setattr(data.sharding.lookup_file, "_tables", lambda *_: pytest.fail("the file was read again"))
    moved = file.rename(tmp_path / "elsewhere.pt.gz")
    again = file_tables(moved, cache=tmp_path / "cache")
    assert again.names == first.names and again.batch == first.batch
    for field in ("rows", "pooling_factor", "unique_bins", "lookup_bins", "hot_row"):
        assert np.array_equal(getattr(again, field), getattr(first, field))
    assert not list((tmp_path / "cache").rglob(".unpacked.*"))


def test_a_file_without_gzip_and_a_table_without_lookups_are_read(tmp_path: Path) -> None:
    content = (INDICES[:3].int(), torch.tensor([0, 2, 2, 3, 3, 3, 3]), torch.tensor([[2, 0, 1], [0, 0, 0]]))
    tables = file_tables(written(tmp_path / "plain.pt", content, packed=False), rows=[300, 40])
    assert tables.rows.tolist() == [300, 40]
    assert tables.pooling_factor[1] == 0 and not tables.reuse_bins[1].any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((INDICES, OFFSETS), "holds 2 items; expected three tensors"),
        ({"indices": INDICES}, "holds a dict; expected three tensors"),
        ((INDICES, OFFSETS, [1, 2]), "lengths is a list; expected a tensor"),
        ((INDICES.float(), OFFSETS, LENGTHS), "indices has 1 axes of torch.float32; expected whole numbers"),
        ((INDICES, OFFSETS, LENGTHS[0]), "lengths has 1 axes"),
        ((INDICES, OFFSETS[:-1], LENGTHS), "offsets has 6 numbers; expected 7"),
        ((INDICES[:-1], OFFSETS, LENGTHS), "offsets go from 0 to 7; expected 0 to 6"),
        ((INDICES, torch.tensor([0, 2, 2, 3, 5, 4, 7]), LENGTHS), "table 1: offsets go from 5 to 4 at sample 1"),
        ((INDICES, torch.tensor([0, 2, 9, 3, 4, 5, 7]), LENGTHS), "table 0: offsets go from 9 to 3 at sample 2"),
        ((INDICES, OFFSETS, torch.tensor([[2, 0, 1], [1, 2, 1]])), "table 1: lengths says 2 lookups of sample 1, and offs"),
        ((torch.tensor([7, 7, 250, -3, 3, 3, 9]), OFFSETS, LENGTHS), "table 1: index -3; rows count from 0"),
        ((INDICES[:0], OFFSETS[:1], LENGTHS[:, :0]), r"lengths has shape \(2, 0\)"),
    ],
)  # fmt: skip
def test_a_file_that_breaks_the_format_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path / "bad.pt.gz", content)
    with pytest.raises(InvalidProblem, match=f"{re.escape(str(path))}.*{message}"):
        file_tables(path)


def test_an_index_beyond_the_rows_of_its_table_is_refused(file: Path) -> None:
    with pytest.raises(InvalidProblem, match="table 0: index 250, and the table has 250 rows"):
        file_tables(file, rows=[250, 100])
    with pytest.raises(InvalidProblem, match="rows has 1 numbers, and the file 2 tables"):
        file_tables(file, rows=[300])


def test_a_truncated_file_and_one_that_needs_pickle_are_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InvalidProblem, match=r"two\.pt.gz is no whole gzip file"):
        file_tables(file)
    with pytest.raises(InvalidProblem, match=r"code\.pt.gz cannot be opened without pickle"):
        file_tables(written(tmp_path / "code.pt.gz", (Path("x"), OFFSETS, LENGTHS)))
    (tmp_path / "text.pt").write_text("no file of lookups")
    with pytest.raises(InvalidProblem, match=r"text\.pt cannot be opened"):
        file_tables(tmp_path / "text.pt")
    with pytest.raises(InvalidProblem, match="does not exist"):
        file_tables(tmp_path / "none.pt.gz")
