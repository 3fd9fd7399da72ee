"""What the names of instance files end in."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".mps", ".mps.gz", ".lp", ".lp.gz")


def suffix_of(path: Path) -> str | None:
    """The instance suffix of a file name, or None."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)


def stem(path: Path | str) -> str:
    """File name without folder and instance suffix: ``10teams.mps.gz`` is ``10teams``."""
    name = Path(path).name
    return name[: len(name) - len(suffix_of(Path(path)) or "")]
