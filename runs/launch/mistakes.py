"""What Hydra says of an unusable configuration, as one line with the nearest name."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runs.environment import CONF
from runs.errors import ConfigError, RepriseError, nearest
from runs.launch.rows import choices

RENAMED = {"data/tables": "data/tabular"}
"""Groups whose choices had another name."""


@contextlib.contextmanager
def clear_mistakes(loader: Any, overrides: list[str]) -> Iterator[None]:
    """Turn what Hydra says of an unusable configuration into a :class:`ConfigError` with the nearest name."""
    try:
        yield
    except Exception as error:  # a defaults list of the wrong kind, say, is a ValueError of Hydra's, or a TypeError
        if isinstance(error, RepriseError | OSError) and not is_configuration(error):
            raise
        raise ConfigError(composition_mistake(loader, overrides, error)) from error


def composition_mistake(loader: Any, overrides: list[str], error: BaseException) -> str:
    text = str(error)
    if found := re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']+)'", text):
        wanted = found.group(1)
        group, _, name = wanted.rpartition("/")
        if group in RENAMED:
            return f"'{wanted}' is now '{RENAMED[group]}/{name}'"
        return f"there is no '{wanted}'{nearest_listed(wanted, _choices_like(loader, wanted))}"
    if found := re.search(r"Could not override '([^']+)'\.\s*No match in the defaults list", text):
        group = found.group(1)
        known = sorted({choice.group for choice in choices(CONF)})
        return f"nothing chooses '{group}' here{nearest_listed(group, known)}"
    if found := re.search(r"Could not override '([^']+)'", text):
        return f"there is no setting '{found.group(1)}'{nearest_listed(found.group(1), all_keys(loader, overrides))}"
    if type(error).__name__ == "OverrideParseException":
        override = str(getattr(error, "override", text))
        return f"'{override}' is not a setting=value{_quoted_twice(override)}: {' '.join(text.split())}"
    cause = error.__cause__ or error
    return " ".join(f"{text} {cause if cause is not error and str(cause) not in text else ''}".split())


def is_configuration(error: BaseException) -> bool:
    """True for what Hydra and OmegaConf raise when a configuration is unusable."""
    return type(error).__module__.split(".")[0] in ("hydra", "omegaconf")


def _quoted_twice(override: str) -> str:
    """How to write a value, such as a path with brackets, that Hydra's grammar and the shell must both leave alone."""
    key, equals, value = override.partition("=")
    if not (equals and key and value) or set(value) & set("'\"\\"):
        return ""
    quoted = shlex.quote(f'{key}="{value}"')
    return f"; if {value} is a name as it stands, write {quoted}"


def nearest_listed(name: str, known: list[str]) -> str:
    return nearest(name, known, "`python launch.py --help` lists what there is")


def _choices_like(loader: Any, wanted: str) -> list[str]:
    """All that the group which ``wanted`` names offers, as ``group/choice``; that of all groups if there is none."""
    folders = [Path(source.path) for source in loader.get_sources() if source.scheme() == "file"]
    found = [f"{choice.group}/{choice.name}" for folder in folders for choice in choices(folder)]
    if wanted.startswith("hydra/"):
        group = wanted.rsplit("/", 1)[0]
        found += [f"{group}/{name}" for name in loader.get_group_options(group)]
    top = wanted.split("/")[0]
    same = [name for name in found if name.split("/")[0] == top]
    return same or found


def all_keys(loader: Any, overrides: list[str]) -> list[str]:
    """Dotted names of all settings, composed from the group choices and the overrides that do work."""
    from hydra.types import RunMode
    from omegaconf import DictConfig, open_dict

    is_group = loader.repository.group_exists
    groups = [text for text in overrides if is_group(text.split("=")[0].split("@")[0].lstrip("+~"))]
    cfg = loader.load_configuration("config", groups, run_mode=RunMode.MULTIRUN)
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            keys.append(f"{prefix}{key!s}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not (
                child._is_none() or child._is_missing() or child._is_interpolation()
            ):
                walk(child, f"{prefix}{key!s}.")

    with open_dict(cfg):
        del cfg["hydra"]
    walk(cfg, "")
    return keys
