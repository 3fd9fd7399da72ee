"""References to the pages of the papers lead somewhere, and none is left that a reader cannot follow."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "papers"

PLACE = re.compile(r"#(\(\d+\)|\d+(?:\.\d+)*)")
PLACES = rf"{PLACE.pattern}(?:,? (?:and )?{PLACE.pattern})*".replace("(\\(", "(?:\\(")
REFERENCE = re.compile(rf"docs/papers/(\w+)\.md({PLACES})?")
HEADING = re.compile(r"^#{2,4} (\d+(?:\.\d+)*)\.? ", re.MULTILINE)
EQUATION = re.compile(r"\\qquad (\(\d+\))")

CITATION = re.compile(r"\b(?:[Ss]ections?|[Ee]quations?) (\d+(?:\.\d+)*(?:(?:, | and | to )\d+(?:\.\d+)*)*)")
SOURCE = re.compile(r"(?:\d{4}\)?|[\w-]*[A-Z0-9][\w-]*), $")
"""What stands before a citation of other literature: a year, a number, a name."""
UNREACHABLE = re.compile(
    r"\b(?:LB-RELAX|CL-LNS|Scan and Snap|lb_relax|cl_lns|scan_snap|ssl)(?:`*|'s),? (?:page|sections?)\b"
    r"|\bpage of (?:the paper|ssl)\b|\bproject's page\b"
)
LINK = re.compile(r"\]\((\w+)\.md\), $")


def texts() -> dict[str, str]:
    """Content of every tracked text file by its path from the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {
        name: text
        for name in listed.splitlines()
        if (text := _text(ROOT / name)) and not name.startswith("tests/docs/")
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return ""


@cache
def places(paper: str) -> frozenset[str]:
    """Numbers of the sections and equations on a paper's page; empty if it has none."""
    text = _text(PAGES / f"{paper}.md")
    return frozenset(HEADING.findall(text)) | frozenset(EQUATION.findall(text))


def flowing(text: str) -> str:
    """Without line breaks, indentation and comment signs."""
    return re.sub(r"\s*\n[\s#]*", " ", text)


def broken(text: str) -> Iterator[str]:
    """References to a page, section or equation that is not there."""
    for reference in REFERENCE.finditer(flowing(text)):
        paper, cited = reference.group(1), PLACE.findall(reference.group(2) or "")
        if not places(paper) or not places(paper).issuperset(cited):
            yield reference.group(0)


def vague(text: str) -> Iterator[str]:
    """Citations that name no source, or a page that is none of ``docs/papers``."""
    text = flowing(text)
    for citation in CITATION.finditer(text):
        if not SOURCE.search(text, max(0, citation.start() - 60), citation.start()):
            yield text[max(0, citation.start() - 40) : citation.end()]
    yield from (found.group(0) for found in UNREACHABLE.finditer(text))


def unknown(paper: str) -> Iterator[str]:
    """Sections and equations that a page cites, of itself or after a link to another one, and that are not there."""
    text = flowing(_text(PAGES / f"{paper}.md"))
    for citation in CITATION.finditer(text):
        before = text[max(0, citation.start() - 60) : citation.start()]
        link = LINK.search(before)
        if link is None and SOURCE.search(before):
            continue
        if not places(link.group(1) if link else paper).issuperset(re.findall(r"\d+(?:\.\d+)*", citation.group(1))):
            yield text[max(0, citation.start() - 40) : citation.end()]


def test_every_section_and_equation_that_a_file_cites_stands_on_its_page() -> None:
    assert not {name: list(broken(text)) for name, text in texts().items() if any(broken(text))}


def test_no_file_cites_a_section_without_its_source() -> None:
    ours = {name: text for name, text in texts().items() if not name.startswith("docs/papers/")}
    assert not {name: list(vague(text)) for name, text in ours.items() if any(vague(text))}


@pytest.mark.parametrize("paper", sorted(page.stem for page in PAGES.glob("*.md")))
def test_what_a_page_says_of_its_own_sections_is_there(paper: str) -> None:
    assert not list(unknown(paper))


@pytest.mark.parametrize("paper", sorted(page.stem for page in PAGES.glob("*.md")))
def test_a_page_gives_no_number_twice(paper: str) -> None:
    text = _text(PAGES / f"{paper}.md")
    for numbers in (HEADING.findall(text), EQUATION.findall(text)):
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("place", ["#99", "#3.99", "#(99)", "#3, #(99)", "#3 and #3.99"])
def test_a_place_that_is_not_there_is_found(place: str) -> None:
    assert list(broken(f"docs/papers/cl_lns.md{place}"))


@pytest.mark.parametrize("place", ["", "#3", "#3.2", "#(2)", "#5, #(2)", "#(3) and #(4)", "#3.1, #3.2, and more"])
def test_a_place_that_is_there_is_none_to_complain_of(place: str) -> None:
    assert not list(broken(f"docs/papers/cl_lns.md{place}"))
    assert not list(vague(f"docs/papers/cl_lns.md{place}"))


@pytest.mark.parametrize(
    "text",
    [
        "losses (section 5)",
        "(CL-LNS page, section 2)",
        "the page,\n    section 4",
        "``lb_relax`` section 9",
        "equation 2",
        "# (cl_lns section 8)",
        "section 8 of the CL-LNS page",
        "Section 4's formula",
        "the project's page",
        "(ssl, section 6)",
    ],
)
def test_a_reference_that_nobody_can_follow_is_found(text: str) -> None:
    assert list(vague(text))


@pytest.mark.parametrize(
    "text",
    [
        "Wu et al. (2018), section 3.4",
        "arXiv 2302.01578, section 4",
        "MoCo, section 3.1",
        "He (2016), sections 3.3 and 4",
    ],
)
def test_other_literature_may_be_cited_by_its_sections(text: str) -> None:
    assert not list(vague(text))
