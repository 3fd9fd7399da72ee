"""Tables of configuration: an entry of ``conf/<group>.rows.yaml`` is a choice of ``<group>``, as good as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runs.errors import ConfigError

SUFFIX = ".rows.yaml"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
NOT_CHOICES = frozenset({"claims", "metrics", "published"})
"""What an experiment's folder holds besides experiments."""


@dataclass(frozen=True)
class Row:
    """An entry of a table.

    Parameters
    ----------
    text
        What it states, YAML.
    says
        The comment behind its name, or behind the row if that is one line.
    """

    name: str
    text: str
    says: str


@dataclass(frozen=True)
class Table:
    """The rows of a group.

    Parameters
    ----------
    package
        Hydra's package of every row, from the first line of the file: ``# @package _global_``.
    """

    path: Path
    package: str | None
    rows: Mapping[str, Row]


def read_table(path: Path) -> Table:
    """The rows of a file, which are not parsed before they are chosen.

    Raises
    ------
    ConfigError
        Not YAML, empty, not a mapping of names to mappings, a name twice, or that of a file of the same group.
    """
    table = _read_table(path, path.stat().st_mtime_ns)
    for name in table.rows:
        file = Path(str(path).removesuffix(SUFFIX), f"{name}.yaml")
        if file.exists():
            raise ConfigError(f"{path}: row '{name}' has the name of the file {file}; rename one of the two")
    return table


@cache
def _read_table(path: Path, changed: int) -> Table:
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, yaml.MappingNode) or not content.value:
        found = {yaml.SequenceNode: "a list", yaml.ScalarNode: "a value"}.get(type(content), "nothing")
        raise ConfigError(f"{path}: expected rows, a name with its settings each, found {found}")
    rows: dict[str, Row] = {}
    for key, value in content.value:
        where = f"{path}: row '{key.value}' in line {key.start_mark.line + 1}"
        if not isinstance(value, yaml.MappingNode):
            raise ConfigError(
                f"{where}: expected settings ({{}} if it changes nothing), found {value.value or 'nothing'!r}"
            )
        if key.value in rows:
            raise ConfigError(f"{where}: there is a row of this name above; rename one of the two")
        rows[key.value] = _row(text, key, value)
    package = _PACKAGE.match(text)
    return Table(path, package and package.group(1), rows)


def _row(text: str, key: yaml.ScalarNode, value: yaml.MappingNode) -> Row:
    begin, end = value.start_mark, value.end_mark
    named = text[(end if value.flow_style else key.end_mark).index :].partition("\n")[0]
    return Row(key.value, " " * begin.column + text[begin.index : end.index], named.partition("#")[2].strip())


@dataclass(frozen=True)
class Choice:
    """What ``group=name`` chooses: a file, or a row of a table.

    Parameters
    ----------
    path
        The file that it is or stands in.
    row
        None if it is a file.
    """

    group: str
    name: str
    path: Path
    row: Row | None = None

    @property
    def purpose(self) -> str:
        """What an experiment shows: a row's comment, or a file's second one, under the command that runs it."""
        if self.row:
            return self.row.says
        comments = []
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    break
                if not line.startswith("# @package"):
                    comments.append(line.lstrip("# ").rstrip())
        return comments[1] if len(comments) > 1 and comments[0].startswith("python launch.py") else ""


def choices(conf: Path, group: str = "") -> list[Choice]:
    """All that a folder of configuration offers, or what ``group`` and the groups below it do, in order of name.

    Names with a leading underscore are internal and left out.

    Raises
    ------
    ConfigError
        A table breaks the format.
    """
    found = (choice for path in conf.rglob("*.yaml") for choice in _offered(conf, path))
    within = [choice for choice in found if f"{choice.group}/".startswith(f"{group}/".lstrip("/"))]
    return sorted(within, key=lambda choice: (choice.group, choice.name))


def names(conf: Path, group: str) -> list[str]:
    """The names of what a group offers, in order; not of the groups below it."""
    return [choice.name for choice in choices(conf, group) if choice.group == group]


def _offered(conf: Path, path: Path) -> Iterator[Choice]:
    if path.name.endswith(SUFFIX):
        group = str(path.relative_to(conf)).removesuffix(SUFFIX)
        yield from (Choice(group, row.name, path, row) for row in read_table(path).rows.values() if row.name[0] != "_")
    elif path.parent != conf and path.stem[0] != "_" and path.stem not in NOT_CHOICES:
        yield Choice(str(path.parent.relative_to(conf)), path.stem, path)
