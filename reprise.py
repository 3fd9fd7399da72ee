"""The console command ``reprise``: the launcher, with Reprise's own packages ahead of any others of their names."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OWN = ("launch", "runs", "data", "models", "solvers", "tasks")
"""Common names: another project on the path may have them, too."""


def main() -> None:
    """Entry point of the console command and of ``python -m reprise``."""
    if wrong := own_first():
        print(f"error: {wrong}", file=sys.stderr)
        sys.exit(2)
    importlib.import_module("launch").main()


def own_first() -> str:
    """Put :data:`ROOT` first on the path, here and for every process started from here, if another has one of these names.

    Returns what is wrong where that does not help, in one line, or "".
    """
    if not any(map(stranger, OWN)):
        return ""
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    importlib.invalidate_caches()
    wrong = next((f"'{name}' is {place}" for name in OWN if (place := stranger(name))), "")
    return (
        wrong
        and f"{wrong} and not Reprise's own in {ROOT}; take that off the path (PYTHONPATH), or install Reprise anew"
    )


def stranger(name: str) -> str:
    """Where a module or package of this name would come from if not from :data:`ROOT`, or ""."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # imported already, by who knows what
        return "one without a file"
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    found = next((place for place in places if place), "not there")
    return "" if spec and Path(found).resolve().is_relative_to(ROOT) else found


if __name__ == "__main__":
    main()
