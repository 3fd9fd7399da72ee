"""Programs of one's own: a file of bitcode or IR, or a folder of such files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.compiler.base import Compiler
from data.compiler.corpus import MOST_BYTES
from data.compiler.program import Program, Programs
from runs.errors import ConfigError, InvalidProblem
from runs.text import printable

SUFFIXES = (".bc", ".ll")
BY_CLANG = "clang -O1 -Xclang -disable-llvm-passes -emit-llvm -c"
"""How C becomes bitcode that passes have not seen, and may optimise."""


def read_programs(path: Path | str, compiler: Compiler) -> Programs:
    """All programs below a path, each read by the compiler once; a folder within the folder is a family.

    Parameters
    ----------
    path
        A ``.bc`` or ``.ll`` file, or a folder.
    compiler
        What will optimise them.

    Raises
    ------
    ConfigError
        The path does not exist, or is a file of another kind.
    InvalidProblem
        The file is no program, or none in the folder is; one bad file among others is named in ``refused``.
    """
    place = Path(path).expanduser()
    where = printable(str(place))
    if not place.exists():
        raise ConfigError(f"data.path: there is no {where}; give a .bc or .ll file, or a folder of them")
    if place.is_file() and place.suffix not in SUFFIXES:
        raise ConfigError(f"data.path: {where} is no .bc or .ll file; C becomes one by `{BY_CLANG} {where}`")
    root = place.parent if place.is_file() else place
    kept: list[Program] = []
    refused: dict[str, str] = {}
    for file in [place] if place.is_file() else _files(place):
        name = printable(file.relative_to(root).as_posix())
        family = printable(file.parent.relative_to(root).as_posix())
        try:
            program = Program(name, root.name if family == "." else family, _content(file))
            program.validate(compiler)
            kept.append(program)
        except InvalidProblem as error:
            refused[name] = str(error)
    return Programs(tuple(kept), refused).one_at_least(where)


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix in SUFFIXES and file.is_file() and not hidden:
            yield file


def _content(file: Path) -> bytes:
    where = printable(str(file))
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InvalidProblem(f"{where} has more than {MOST_BYTES} bytes; leave it out, or compile its parts alone")
        return file.read_bytes()
    except OSError as error:
        raise InvalidProblem(f"{where} cannot be read ({error.strerror})") from error
