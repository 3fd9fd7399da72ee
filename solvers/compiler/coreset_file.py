"""A coreset as a file: sequences by the names of their passes, with the compiler that they were chosen for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from data.compiler.base import Actions, Compiler, indices
from runs.errors import ConfigError, InvalidProblem
from runs.files import atomic_write, read_json
from runs.text import printable

FORMAT = "pass coreset 1"


def write_coreset(path: Path | str, sequences: Sequence[Actions], compiler: Compiler) -> None:
    """Write sequences, in their order, as JSON.

    Raises
    ------
    OSError
        The disk refused.
    """
    atomic_write(Path(path), coreset_bytes(sequences, compiler))


def coreset_bytes(sequences: Sequence[Actions], compiler: Compiler) -> bytes:
    """The content of such a file."""
    about = {
        "format": FORMAT,
        "compiler": str(compiler.fingerprint),
        "fingerprint": compiler.fingerprint.digest,
        "sequences": [[compiler.actions[action] for action in sequence] for sequence in sequences],
    }
    return (json.dumps(about, indent=1) + "\n").encode()


def read_coreset(path: Path | str, compiler: Compiler) -> tuple[Actions, ...]:
    """The sequences of a file, for the compiler that they were chosen for.

    Raises
    ------
    ConfigError
        There is no such file, or it has a pass that the compiler does not know.
    InvalidProblem
        The file is damaged, holds no sequence, or belongs to another compiler: names both.
    """
    where = printable(str(path))
    if not Path(path).is_file():
        raise ConfigError(f"coreset: there is no file {where}; collect one first")
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InvalidProblem(f"{where} is no coreset, or was cut off; expected JSON with format '{FORMAT}'")
    sequences = found.get("sequences")
    if not isinstance(sequences, list) or not sequences or not all(_is_sequence(names) for names in sequences):
        raise InvalidProblem(f"{where}: 'sequences' must be a list of one list or more, each of names of passes")
    if found.get("fingerprint") != compiler.fingerprint.digest:
        owner = printable(str(found.get("compiler")))
        raise InvalidProblem(
            f"{where} was chosen for {owner}, not for {compiler.fingerprint}: counts of passes belong to one compiler "
            "and its actions; collect a coreset for this one"
        )
    return tuple(indices(compiler, names) for names in sequences)


def _is_sequence(names: object) -> bool:
    return isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
