"""Numbers as people read them."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runs.claims.number_format import interval, number, quantity
from runs.report.build import build
from runs.report.summary import print_to_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (interval(1e-69, 0.5), "[0, 0.5]"),
        (interval(-3e-17, 2.0), "[0, 2]"),
        (interval(1e-69, 2e-69, scale=4.0), "[0, 0]"),
        (interval(1e-69, 2e-69), "[1e-69, 2e-69]"),
        (interval(1e-69, 1e-15, "primal_gap"), "[0, 0]"),
        (quantity(1e-69, "loss", "nats", scale=2.0), "0 nats"),
        (quantity(1e-69, "primal_gap"), "0 %"),
        (quantity(0.0123, "primal_gap"), "1.23 %"),
        (number(1e-69, 2), "1e-69"),
    ],
)
def test_what_is_nothing_beside_its_quantity_reads_as_zero(text: str, shown: str) -> None:
    assert text == shown


@given(st.floats(1e-9, 1e9))
def test_a_number_of_its_quantity_s_own_size_is_never_zero(value: float) -> None:
    assert quantity(value, "loss", scale=value) == number(value) != "0"


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
    for name, column in zip(metrics, columns[1:], strict=False):
        assert column.startswith(name)
        assert re.search(r"12\d{3}\[12\d{3}, 12\d{3}\]", column)
    left_out = len(metrics) - (len(columns) - 1)
    assert (f"and {left_out} more" in text.getvalue()) == bool(left_out)
