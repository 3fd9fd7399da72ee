"""What a run leaves besides numbers and figures: files that other tools read, and sentences that say what it found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runs.files import atomic_write
from runs.text import one_line, printable

FILES = "files"
"""In a run's folder: solutions, plans, designs, whatever a user takes away; the report links each."""
FOUND = "found.txt"
"""In a run's folder: a sentence a line, which the report shows before its tables."""


def keep_file(folder: Path, name: str, content: bytes) -> Path:
    """Write a file of the run in ``folder``, atomically; ``name`` may have folders in front of it."""
    path = folder / FILES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)
    return path


def kept_files(folder: Path) -> list[Path]:
    """The files that a run left, in order of name."""
    return sorted(path for path in (folder / FILES).rglob("*") if path.is_file())


def tell(folder: Path, sentences: Sequence[str]) -> None:
    """Say what the run in ``folder`` found, in place of what it said before."""
    atomic_write(folder / FOUND, "".join(f"{one_line(sentence)}\n" for sentence in sentences).encode())


def told(folder: Path) -> list[str]:
    """What a run found, in sentences."""
    try:
        text = (folder / FOUND).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [printable(line) for line in text.splitlines() if line]
