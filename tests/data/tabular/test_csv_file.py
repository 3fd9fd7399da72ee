"""A table of one's own: what its columns become, and what of a file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.tabular import csv_file
from data.tabular.masking import FeatureMasking
from data.tabular.module import TableData
from runs.errors import ConfigError, InvalidProblem

ROWS = 40


def written(path: Path, separator: str = ",", decimal: str = ".") -> Path:
    """Numbers with gaps, two kinds of text, a constant, a name, and a class that three rows lack."""
    lines = [["size", "colour", "same", "name", "kind"]]
    for row in range(ROWS):
        size = "" if row % 8 == 0 else f"{row / 4:.2f}".replace(".", decimal)
        colour = ("red", "blue", "N/A")[row % 3]
        kind = "?" if row < 3 else ("good", "bad")[row % 2]
        lines.append([size, colour, "x", f"row {row}", kind])
    extra = [[*line, str(number)] for number, line in enumerate(lines[1:])]
    lines = [[*lines[0], "many"], *extra]
    path.write_bytes("\ufeff".encode() + "\n".join(separator.join(line) for line in lines).encode())
    return path


def own(path: Path, **changes: Any) -> TableData:
    read = csv_file.features(str(path), "kind"), csv_file.labels(str(path), "kind")
    settings = {"features": read[0], "labels": read[1], "masking": FeatureMasking(), "batch_size": 8, "seed": 0}
    return TableData("own", None, **{**settings, "path": str(path), "target": "kind", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", ".")])
def test_numbers_stay_kinds_get_a_feature_each_and_gaps_are_kept(tmp_path: Path, separator: str, decimal: str) -> None:
    table = csv_file.read(str(written(tmp_path / "t.csv", separator, decimal)), "kind")
    assert table.classes == ("bad", "good") and table.name == "t"
    rows = np.arange(3, ROWS)
    assert table.labels.tolist() == [int(row % 2 == 0) for row in rows]
    size, *colours, many = table.rows.T.numpy()
    assert np.array_equal(size, np.where(rows % 8 == 0, np.nan, rows / 4).astype(np.float32), equal_nan=True)
    assert np.array_equal(colours[0], np.where(rows % 3 == 2, np.nan, rows % 3 == 1), equal_nan=True)
    assert np.array_equal(colours[1], np.where(rows % 3 == 2, np.nan, rows % 3 == 0), equal_nan=True)
    assert many.tolist() == rows.tolist()


def test_what_is_left_out_and_filled_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        csv_file.read(str(written(tmp_path / "t.csv")), "kind")
    for part in (
        "37 rows, and 3 without a class",
        "2 columns of numbers",
        "colour has 2 kinds",
        "of 2 columns become the mean",
    ):
        assert part in caplog.text
    assert "same is left out (constant)" in caplog.text


def test_gaps_become_the_mean_of_the_training_part_which_is_zero(tmp_path: Path) -> None:
    data = own(written(tmp_path / "t.csv"))
    parts = {part: torch.cat([rows for rows, _, _ in data.clean_loader(part, 8)]) for part in data.sets}
    assert all(rows.isfinite().all() for rows in parts.values())
    torch.testing.assert_close(parts["train"].mean(0), torch.zeros(data.size), atol=1e-6, rtol=0)
    assert (parts["test"] == 0).any() and data.classes == ("bad", "good")


def test_a_text_of_too_many_kinds_is_left_out(tmp_path: Path) -> None:
    lines = ["name,value,kind", *(f"row {row},{row},{row % 2}" for row in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = csv_file.read(str(tmp_path / "t.csv"), "kind")
    assert table.rows.shape == (60, 1) and table.classes == ("0", "1")


@pytest.mark.parametrize(
    ("content", "target", "error", "message"),
    [
        ("a,kind\n1,x\n2,y\n", "kin", ConfigError, r"data\.target is kin, and .* did you mean 'kind'"),
        ("a,kind\n1,x\n2,y\n", None, ConfigError, r"data\.target is null.*there are a, kind"),
        ("", "kind", InvalidProblem, "no row below"),
        ("a,kind\n", "kind", InvalidProblem, "no row below"),
        ("1,2\n3,4\n", "kind", InvalidProblem, "line 1 has numbers: 1, 2; the first line must name the columns"),
        ("a,a,kind\n1,2,x\n", "kind", InvalidProblem, "names the column 'a' twice"),
        ("a,b,kind\n1,2,x\n1,2\n", "kind", InvalidProblem, "line 3 has 2 cells, and the first line 3"),
        ("a,kind\n1,x\n1,x,9,9\n", "kind", InvalidProblem, "line 3 has 4 cells, and the first line 2"),
        ("a,kind\n1,x\n2,x\n", "kind", InvalidProblem, "column kind has 1 classes"),
        (
            "a,kind\n1,1.5\n2,2.5\n3,3.5\n",
            "kind",
            InvalidProblem,
            "3 different values in 3 rows, too many to be classes",
        ),
        ("a,kind\nz,x\nz,x\nz,y\nz,y\n", "kind", InvalidProblem, "no column that varies"),
        ('a,kind\n"1,x\n', "kind", InvalidProblem, "line 2: unexpected end of data"),
        (b"a,kind\n\xff,x\n", "kind", InvalidProblem, "is not UTF-8"),
        (None, "kind", ConfigError, r"data\.path: .* cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_the_reason(
    tmp_path: Path, content: str | bytes | None, target: str | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=message) as raised:
        csv_file.read(str(path), target)
    assert "bad.csv" in str(raised.value) or "column kind" in str(raised.value)
    assert csv_file.features(str(path), target) == 0


def test_a_table_or_a_file_is_given(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match=r"data\.table is wine and data\.path .*; give one"):
        TableData("both", "wine", 1, 2, FeatureMasking(), 8, 0, path=str(path), target="kind")
