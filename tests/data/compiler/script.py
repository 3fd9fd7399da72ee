"""Programs in Python that stand in for others."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def write_script(path: Path, code: str) -> Path:
    """An executable of this Python, whose own path may hold spaces, as a line ``#!`` may not."""
    path.write_text(f"#!/bin/sh\n''':'\nexec {shlex.quote(sys.executable)} \"$0\" \"$@\"\n'''\n{code}\n")
    path.chmod(0o755)
    return path
