"""References to the pages of the papers lead somewhere: every page, section and equation that a file cites is there."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "papers"
REFERENCE = re.compile(r"docs/papers/(\w+)\.md((?:(?:, (?:and )?| and )?#(?:\([\d]+\)|\d+(?:\.\d+)*))*)")
PLACE = re.compile(r"#(\(\d+\)|\d+(?:\.\d+)*)")
HEADING = re.compile(r"^#{2,4} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
EQUATION = re.compile(r"\\qquad (\(\d+\))")
EXAMPLES = {"docs/adding.md", "tests/docs/test_references.py"}
"""Files that show the form itself."""


def texts() -> dict[str, str]:
    """Content of every tracked text file by its path from the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    found = {}
    for name in listed:
        try:
            found[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return {name: text for name, text in found.items() if name not in EXAMPLES}


@cache
def places(paper: str) -> frozenset[str]:
    """Numbers of the sections and equations on a paper's page; empty if it has none."""
    page = PAGES / f"{paper}.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return frozenset(HEADING.findall(text)) | frozenset(EQUATION.findall(text))


def test_every_section_and_equation_that_is_cited_stands_on_its_page() -> None:
    broken = [
        f"{name}: {reference.group(0)}"
        for name, text in texts().items()
        for reference in REFERENCE.finditer(text)
        if not set(PLACE.findall(reference.group(2))) <= places(reference.group(1))
        or not (PAGES / f"{reference.group(1)}.md").exists()
    ]
    assert not broken


def test_no_number_is_given_twice_on_a_page() -> None:
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for numbers in (HEADING.findall(text), EQUATION.findall(text)):
            assert len(numbers) == len(set(numbers)), page.name
