"""The page of a paper agrees with the repository: experiments, published numbers, names beside symbols, files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from runs.claims.published import load_published
from runs.launch import help

ROOT = Path(__file__).resolve().parents[2]
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "papers").glob("*.md"))}
CODE = [path for folder in ("data", "models", "solvers", "tasks", "runs") for path in (ROOT / folder).rglob("*.py")]
FILE = re.compile(r"`((?:conf|data|models|solvers|tasks|runs|docs|tests|benchmarks)/[\w/]+(?:\.\w+)?)`")
QUOTED = re.compile(r"`([^`]+)`")


def listed(paper: str) -> set[str]:
    """The experiments of a paper that ``--help`` shows."""
    experiments, _, _ = help.render(ROOT / "conf").partition("\nGroups ")
    return set(re.findall(rf"^ +({paper}/\S+)", experiments, re.MULTILINE))


def named(paper: str) -> set[str]:
    """The experiments whose command stands on a paper's page; ``<recipe>`` in one stands for every quoted name."""
    page = PAGES[paper]
    commands = set(re.findall(rf"\bexperiment=({paper}/[\w<>]+)", page))
    names = re.findall(r"`(\w+)`", page)
    expanded = {re.sub("<.*>", name, command) for command in commands if "<" in command for name in names}
    return {command for command in commands if "<" not in command} | expanded & listed(paper)


def symbols(paper: str) -> Iterator[tuple[list[str], list[Path]]]:
    """Rows of the table of symbols: names in the code, and the files that one of them is to be found in."""
    section = re.search(r"^## \d+\. Symbols$(.*?)^## ", PAGES[paper], re.MULTILINE | re.DOTALL)
    assert section
    header, _, *rows = (line.strip("|").split("|") for line in section.group(1).splitlines() if line.startswith("|"))
    column = next(i for i, title in enumerate(header) if "in the code" in title)
    for cells in rows:
        file = QUOTED.search(cells[-1]) if "file" in header[-1] else None
        yield QUOTED.findall(cells[column]), [ROOT / file.group(1)] if file else CODE


@cache
def identifiers(path: Path) -> frozenset[str]:
    """What a Python file names: definitions, parameters, attributes, variables, axes of arrays."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found |= {
            name for field in ("id", "arg", "attr", "name") if isinstance(name := getattr(node, field, None), str)
        }
        if isinstance(node, ast.Subscript):
            found |= {
                word for part in ast.walk(node) if isinstance(part, ast.Constant) for word in str(part.value).split()
            }
    return frozenset(found)


@pytest.mark.parametrize("paper", PAGES)
def test_a_page_names_every_experiment_of_its_paper_and_no_other(paper: str) -> None:
    assert named(paper) == listed(paper)


@pytest.mark.parametrize("paper", PAGES)
def test_a_page_prints_every_published_number_of_its_paper(paper: str) -> None:
    printed = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+", PAGES[paper])}
    assert {entry.value for entry in load_published(paper) if entry.value is not None} <= printed


@pytest.mark.parametrize("paper", PAGES)
def test_the_code_has_the_names_that_a_page_puts_beside_its_symbols(paper: str) -> None:
    missing = [
        name
        for names, files in symbols(paper)
        for name in names
        for part in re.findall(r"\w+", re.sub(r"\(.*\)", "", name))
        if not any(part in identifiers(file) for file in files)
    ]
    assert not missing


@pytest.mark.parametrize("paper", PAGES)
def test_a_page_names_files_that_are_there(paper: str) -> None:
    named = FILE.findall(PAGES[paper])
    places = {path: (ROOT / path, ROOT / "conf" / path, ROOT / "conf" / f"{path}.rows.yaml") for path in named}
    assert not [path for path, found in places.items() if not any(place.exists() for place in found)]
