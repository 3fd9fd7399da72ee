"""Parts of a run that may fail without losing it: each figure and each protocol is kept apart, and what failed is named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runs.errors import RepriseError, StorageError
from runs.files import atomic_write
from runs.names import safe_name
from runs.text import one_line

_log = logging.getLogger(__name__)
WARNING_FILE = "warning.txt"
"""In a run's folder: what speaks against its result although it finished; the report repeats it."""


@contextmanager
def kept_apart(folder: Path, part: str, says: bool = True) -> Iterator[None]:
    """What fails inside ends there: the log has the cause, and the run's folder and report name the part.

    A part that succeeds after all, where a killed run goes on, is named no longer. What the disk refuses is not kept apart:
    the record itself is at stake then.

    Parameters
    ----------
    folder
        The run's.
    part
        What it is, in words: "figure spectra".
    says
        Whether this process is the one that says so, where several fail together.
    """
    try:
        yield
    except (OSError, StorageError):
        raise
    except Exception as error:
        if not says:
            return
        said = str(error) if isinstance(error, RepriseError) else f"{type(error).__name__}: {error}"
        reason = one_line(f"{part} is left out: {said}")
        _log.warning("%s", reason, exc_info=not isinstance(error, RepriseError))
        warn(folder, f"{part} is left out: ", reason)
    else:
        if says:
            warn(folder, f"{part} is left out: ", None)


def draw(folder: Path, name: str, make: Callable[[], bytes | None]) -> None:
    """Keep a figure of the run, ``figures/<name>.png``, apart from all else; None is no figure.

    Parameters
    ----------
    folder
        The run's.
    name
        Any text; folders in front of it are made.
    make
        Draws it.
    """
    *parts, last = name.split("/")
    with kept_apart(folder, f"figure {name}"):
        drawn = make()
        if drawn is not None:
            atomic_write(folder.joinpath("figures", *parts, f"{safe_name(last)}.png"), drawn)


def warn(folder: Path, subject: str, message: str | None) -> None:
    """Replace what the run's folder says of a subject, with which the message begins; None takes it back.

    Parameters
    ----------
    folder
        The run's.
    """
    path = folder / WARNING_FILE
    before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = [line for line in before if not line.startswith(subject)]
    lines += [] if message is None else [one_line(message)]
    if lines != before:
        atomic_write(path, "".join(f"{line}\n" for line in lines).encode())
