"""The one exception family. Every message says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Sequence
from types import ModuleType

from runs.environment import INSTALLED


class RepriseError(Exception):
    """Base of every error a user can cause; shown as one line, without a traceback."""


class ConfigError(RepriseError):
    """A setting is wrong: names the key, the value and the remedy."""


class InvalidProblem(RepriseError):
    """A problem or a file breaks its format: names file, line, field and expectation."""


class SolverFailure(RepriseError):
    """A solver broke down (not: infeasible, unbounded or out of time, which are statuses)."""


class StorageError(RepriseError):
    """The disk refused (no space, read-only, no permission): names the path, the reason and the remedy."""


class MissingDependency(RepriseError):
    """An optional package is absent: names the `pip install` line that brings it."""


def nearest(name: str, known: Sequence[str], otherwise: str | None = None) -> str:
    """The end of a message about an unknown name.

    Parameters
    ----------
    name
        What was asked for.
    known
        All there are. A name with folders or dots may also be near in its last part alone.
    otherwise
        What to say where none is near; None for a list of all.
    """
    close = difflib.get_close_matches(name, known, n=1)
    if not close:
        last_parts = {re.split(r"[/.]", key)[-1]: key for key in known}
        close = [last_parts[part] for part in difflib.get_close_matches(re.split(r"[/.]", name)[-1], last_parts, n=1)]
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; {otherwise or 'there are ' + (', '.join(known) or 'none')}"


def at_least(where: str, **settings: tuple[float | None, float]) -> None:
    """Refuse a setting below its least value: ``at_least("data.", length=(length, 2))``; None is not below.

    Raises
    ------
    ConfigError
        Names the setting, after ``where`` it is, its value and the least one.
    """
    for name, (value, least) in settings.items():
        if value is not None and not value >= least:
            raise ConfigError(f"{where}{name} is {value}; give at least {least}")


def installing(extra: str) -> str:
    """The command that brings an extra, here."""
    return f"pip install 'reprise[{extra}]'" if INSTALLED else f"pip install -c constraints.txt -e '.[{extra}]'"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Raises
    ------
    MissingDependency
        The module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{module} is not installed ({error}). It comes with the extra '{extra}': {installing(extra)}"
        ) from error
