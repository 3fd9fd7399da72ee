"""Numbers as people read them."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from runs.claims.number_format import number, snapped
from runs.report.build import build
from runs.report.terminal import print_to_terminal


def test_what_is_nothing_beside_its_quantity_reads_as_zero() -> None:
    assert snapped(1e-69, 2.0) == 0.0
    assert snapped(1e-3, 2.0) == 1e-3
    assert number(1e-69, 2) == "1e-69"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_breaks_names_but_no_number_and_cuts_nothing(sweep, width: int) -> None:
    metrics = [f"step_{name}_of_the_neighborhoods" for name in ("hit_rate", "improvement", "seconds", "size")]
    for method in ("lb_relax", "a_method_with_a_name_of_some_length"):
        for seed in range(3):
            values = {name: 12345.0 + 100 * seed + i for i, name in enumerate(metrics)}
            sweep.run(method, seed, metrics={"ca/0": values})
    text = io.StringIO()
    print_to_terminal(build(sweep.folder), Console(file=text, width=width, soft_wrap=True))
    table = [line for line in text.getvalue().splitlines() if re.search("[│┃]", line)]
    assert max(map(len, table)) <= width
    assert "…" not in "".join(table)
    cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in table]
    columns = ["".join(cell) for cell in zip(*(row for row in cells if row), strict=True)]
    assert "a_method_with_a_name_of_some_length" in columns[0]
    for name, column in zip(metrics, columns[1:-1], strict=False):
        assert column.startswith(name)
        assert re.search(r"12\d{3}\[12\d{3}, 12\d{3}\]", column)
    left_out = len(metrics) - (len(columns) - 2)
    assert (f"and {left_out} more" in text.getvalue()) == bool(left_out)
