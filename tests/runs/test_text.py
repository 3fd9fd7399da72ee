"""Texts of strangers are stored and shown, never obeyed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.text import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ünïcode, 植物, 👩‍🔬\n\tas it is", "plain, Ünïcode, 植物, 👩‍🔬\n\tas it is"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("caf\udce9.mps", "caf\\udce9.mps"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\rb\x00\x9b", "a\\rb\\x00\\x9b"),
    ],
)
def test_what_would_be_obeyed_or_cannot_be_stored_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_every_text_can_be_stored_on_one_line(text: str) -> None:
    line = one_line(text)
    assert line.encode().decode().splitlines() in ([line], [])
    assert "\x1b" not in line
