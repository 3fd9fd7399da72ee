"""The corpus: unoptimised C in families, an archive for each part of the split (docs/papers/pass_order.md#2.2)."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path
from typing import Literal, get_args

from data.compiler.program import Program
from data.download import DataFile
from runs.errors import ConfigError, InvalidProblem, nearest
from runs.text import printable

Split = Literal["train", "val", "test"]
MOST_BYTES = 1 << 26
"""Of one program: LLVM needs many times that."""


def read_corpus(folder: Path | str, split: Split) -> tuple[Program, ...]:
    """The programs of a part, in the order of the archive ``<split>.tar.xz``; nothing is unpacked to the disk.

    Parameters
    ----------
    folder
        Where the archives lie, each with members ``family/program.bc``.
    split
        Which part.

    Raises
    ------
    ConfigError
        There is no such part, or its archive is missing.
    InvalidProblem
        The archive is damaged, or a member is too large, or of no family, or two have the same name.
    """
    if split not in get_args(Split):
        raise ConfigError(f"data.split is '{split}'{nearest(split, get_args(Split))}")
    path = DataFile(str(Path(folder) / f"{split}.tar.xz")).find()
    found: dict[str, Program] = {}
    try:
        with tarfile.open(path, "r|xz") as archive:
            for member in archive:
                if not (member.isfile() and member.name.endswith(".bc")):
                    continue
                program = _program(path, member, archive)
                if program.name in found:
                    raise InvalidProblem(f"{path} has {program.name} twice; give each program a name of its own")
                found[program.name] = program
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise InvalidProblem(f"{path} is no whole tar.xz archive ({error}); fetch it again") from error
    return tuple(found.values())


def _program(path: Path, member: tarfile.TarInfo, archive: tarfile.TarFile) -> Program:
    name = printable(member.name.removeprefix("./").removesuffix(".bc"))
    family, _, rest = name.rpartition("/")
    if not family or not rest:
        raise InvalidProblem(f"{path}: member {name} is of no family; call it family/{name or 'program'}.bc")
    if member.size > MOST_BYTES:
        raise InvalidProblem(f"{path}: member {name} has {member.size} bytes, more than {MOST_BYTES}; leave it out")
    file = archive.extractfile(member)
    assert file is not None
    return Program(name, family, file.read())
