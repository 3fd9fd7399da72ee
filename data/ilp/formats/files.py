"""Instance files by suffix: ``.mps``, ``.lp`` and their ``.gz``."""

from __future__ import annotations

from pathlib import Path

from data.ilp.formats.lp_file import read_lp
from data.ilp.formats.mps import read_mps
from data.ilp.formats.suffixes import SUFFIXES, suffix_of
from data.ilp.problem import ILP
from runs.errors import InvalidProblem


def read(path: Path | str) -> ILP:
    """Read one instance file.

    Raises
    ------
    InvalidProblem
        The file is missing, unreadable, of another kind, or breaks its format.
    """
    path = Path(path).expanduser()
    suffix = suffix_of(path)
    if not path.is_file():
        raise InvalidProblem(f"{path} is {'no file' if path.exists() else 'missing'}; expected a file {_kinds()}")
    if suffix is None:
        raise InvalidProblem(f"{path} has an unknown suffix; expected a file {_kinds()}")
    if suffix.startswith(".mps"):
        return read_mps(path)
    return read_lp(path)


def instances(folder: Path | str) -> list[Path]:
    """The instance files of a folder, sorted by name.

    Raises
    ------
    InvalidProblem
        The folder cannot be listed or holds no instance.
    """
    folder = Path(folder).expanduser()
    try:
        found = sorted(path for path in folder.iterdir() if suffix_of(path) and path.is_file())
    except OSError as error:
        raise InvalidProblem(f"the folder {folder} cannot be listed: {error.strerror}") from error
    if not found:
        raise InvalidProblem(f"the folder {folder} holds no instance; expected files {_kinds()}")
    return found


def _kinds() -> str:
    return f"ending in {', '.join(SUFFIXES)}"
