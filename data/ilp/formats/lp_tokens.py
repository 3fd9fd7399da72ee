"""The words of an LP file: numbers, names, signs, comparisons and the headers of sections, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from data.ilp.formats.text import refuse

SUPPORTED = {
    "minimize": r"min(imi[sz]e|imum)?",
    "maximize": r"max(imi[sz]e|imum)?",
    "rows": r"subject\s+to|such\s+that|st\.?|s\.t\.",
    "bounds": r"bounds?",
    "binary": r"bin(ar(y|ies))?",
    "general": r"gen(erals?)?|int(egers?)?",
    "end": r"end",
}
"""The sections that a reader of linear problems understands, and what they are called in a file, in any case."""

_UNSUPPORTED = (
    r"sos[12]?|semi-?continuous|semis?|general\s+constraints?|gencons?|lazy\s+constraints|user\s+cuts|pwlobj|scenario"
)
_HEADER = re.compile(
    "|".join([f"(?P<unsupported>{_UNSUPPORTED})", *(f"(?P<{name}>{words})" for name, words in SUPPORTED.items())])
    .join(("(?:", r")(?=\s|$)"))
    .encode(),
    re.IGNORECASE,
)
_WORD = re.compile(
    rb"\s*(?:"
    rb"(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
    rb"|(?P<nonlinear>->|::|\^|\[)"
    rb"|(?P<compare><=|=<|>=|=>|==|[<>=])"
    rb"|(?P<sign>[+-])"
    rb"|(?P<colon>:)"
    rb"|(?P<times>\*)"
    # what brackets enclose belongs to the name: Gurobi writes x[a-b]
    rb"|(?P<name>[^\s+\-*^<>=:\\\[\]0-9.](?:[^\s+\-*^<>=:\\\[\]]|\[[^\s\[\]]*\])*)"
    rb"|(?P<other>\S))",
    re.IGNORECASE,
)
INFINITY = (b"inf", b"infinity")
_RESERVED = (*INFINITY, b"nan", b"free")


class Word(NamedTuple):
    """One word of the text.

    ``kind`` is number, name, sign, compare, colon, times or section; of a section ``text`` is its key in
    :data:`SUPPORTED`. Words that name no variable (inf, infinity, nan, free) are of kind reserved, in small letters.
    """

    kind: str
    text: bytes
    line: int


def words(path: Path, blocks: Iterable[bytes]) -> Iterator[Word]:
    """The words of blocks of whole lines, without comments.

    Raises
    ------
    InvalidProblem
        A character that no word has, or something that linear problems do not have; names file and line.
    """
    number = 0
    unsupported: Word | None = None
    for block in blocks:
        for line in block.split(b"\n"):
            number += 1
            content = line.split(b"\\", 1)[0].strip()
            if not content:
                continue
            header = _HEADER.match(content)
            if header and not content[header.end() :].lstrip().startswith(b":"):
                kind = header.lastgroup or ""
                word = Word("section", kind.encode(), number)
                unsupported = Word("section", header[0], number) if kind == "unsupported" else None
                if not unsupported:
                    yield word
                content = content[header.end() :]
            if unsupported and content.strip():  # writers leave the header where the section is empty
                refuse(
                    path, unsupported.line, "section", unsupported.text, "a linear problem; this part is unsupported"
                )
            yield from _of_line(path, number, content)


def _of_line(path: Path, number: int, content: bytes) -> Iterator[Word]:
    for found in _WORD.finditer(content):
        kind, text = found.lastgroup or "", found[found.lastgroup or ""]
        if kind == "name":
            small = text.lower()
            if small in _RESERVED:
                kind, text = "reserved", small
            elif _HEADER.fullmatch(text):
                refuse(path, number, "word", text, "a section's header first on its line, or a name that is none")
        elif kind == "nonlinear":
            refuse(path, number, "term", content[found.start(kind) :], "a linear problem; this part is unsupported")
        elif kind == "other":
            refuse(path, number, "name or number", content[found.start(kind) :], "a name that begins with a letter")
        yield Word(kind, text, number)
