"""Programs of one's own: a file of bitcode, IR or C, or a folder of such files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.compiler.base import Compiler
from data.compiler.clang import Clang
from data.compiler.corpus import MOST_BYTES
from data.compiler.program import Program, Programs
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from runs.text import printable

COMPILED = (".bc", ".ll")
SUFFIXES = (*COMPILED, ".c")


def read_programs(path: Path | str, compiler: Compiler, clang: Clang | None = None) -> Programs:
    """All programs below a path, each read by the compiler once; a folder within the folder is a family.

    Parameters
    ----------
    path
        A ``.bc``, ``.ll`` or ``.c`` file, or a folder.
    compiler
        What will optimise them.
    clang
        What compiles C; None for the one that is there.

    Raises
    ------
    ConfigError
        The path does not exist, or is a file of another kind.
    InvalidProblem
        The file is no program, or none in the folder is; one bad file among others is named in ``refused``.
    MissingDependency
        There is C alone, and no clang.
    """
    place = Path(path).expanduser()
    where = printable(str(place))
    if not place.exists():
        raise ConfigError(f"data.path: there is no {where}; give a .bc, .ll or .c file, or a folder of them")
    if place.is_file() and place.suffix not in SUFFIXES:
        raise ConfigError(f"data.path: {where} is no .bc, .ll or .c file")
    root = place.parent if place.is_file() else place
    kept: list[Program] = []
    refused: dict[str, str] = {}
    clang = clang or Clang()
    files = [place] if place.is_file() else [*_files(place)]
    if files and all(file.suffix not in COMPILED for file in files):
        clang.command()
    for file in files:
        name = printable(file.relative_to(root).as_posix())
        family = printable(file.parent.relative_to(root).as_posix())
        try:
            content = _content(file) if file.suffix in COMPILED else clang.bitcode(file)
            program = Program(name, root.name if family == "." else family, content)
            program.validate(compiler)
            kept.append(program)
        except (InvalidProblem, MissingDependency) as error:
            refused[name] = str(error) if str(error).startswith(name) else f"{name}: {error}"
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
