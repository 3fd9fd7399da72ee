"""Reading what a paper declares in ``conf/experiment/<paper>``: strict, and every error names file, entry and field."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from runs.errors import ConfigError, nearest

_KINDS = {list: "a list of entries", dict: "a mapping"}
T = TypeVar("T", list[Any], dict[Any, Any])


def read(path: Path, kind: type[T]) -> T:
    """The list or mapping in a YAML file; an empty one if there is no such file.

    Raises
    ------
    ConfigError
        Not YAML, a key that stands twice, or something else than ``kind``.
    """
    if not path.exists():
        return kind()
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return kind()
    if not isinstance(content, kind):
        raise ConfigError(f"{path}: expected {_KINDS[kind]}, found {type(content).__name__}")
    return content


def mapping(where: str, value: Any) -> dict[Any, Any]:
    """An entry with its fields."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a mapping, found {type(value).__name__}")
    return value


def only(where: str, given: Collection[Any], known: Sequence[str], prefix: str = "") -> None:
    """Refuse fields that nobody reads."""
    if unknown := next((name for name in given if name not in known), None):
        raise ConfigError(f"{where}: unknown field '{prefix}{unknown}'{nearest(str(unknown), known)}")


def text(where: str, name: str, value: Any) -> str:
    """A field that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: field '{name}' must be a text, found {value!r}")
    return value.strip()


def number(where: str, name: str, value: Any) -> float:
    """A finite number."""
    if not _is_number(value):
        raise ConfigError(f"{where}: field '{name}' must be a number, found {value!r}")
    return float(value)


def number_or_null(where: str, name: str, value: Any) -> float | None:
    """A finite number, or None where there is none."""
    if value is not None and not _is_number(value):
        raise ConfigError(f"{where}: field '{name}' must be a number or null, found {value!r}")
    return None if value is None else float(value)


def one_of(where: str, name: str, value: Any, known: Sequence[str]) -> str:
    """One of the words that a field takes."""
    if value not in known:
        raise ConfigError(f"{where}: field '{name}' must be {' or '.join(known)}, found {value!r}")
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A parser for which the second of two equal keys is an error, not a correction of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
