"""``launch.py ... --where KEY``: the files, rows and overrides that set a key, in the order in which they are merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import Overrides, _create_defaults_list
from hydra.core.default_element import DefaultsTreeNode, GroupDefault
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runs.launch.config_folder import FileConfigSource

COMMAND_LINE = "command line"
SWEPT = " (swept)"


@dataclass(frozen=True)
class Setting:
    """What one place says.

    Parameters
    ----------
    place
        A file, a row of a table, or the command line.
    key
        What it sets: the key asked for, or a mapping around it that it replaces as a whole.
    value
        As it is written there.
    """

    place: str
    key: str
    value: str


class Choosing(Overrides):
    """Hydra's choice of a group's member, which keeps the first who chooses: the command line, then the outermost file."""

    def __init__(self, repository: IConfigRepository, overrides: list[Override]) -> None:
        super().__init__(repository, overrides)
        self.overridden: dict[str, Any] = {}
        self.chosen: list[tuple[str, str, Any]] = []

    def add_override(self, parent_config_path: str, default: GroupDefault) -> None:
        """Note who else chooses."""
        self.chosen.append((default.get_override_key(), parent_config_path, default.value))
        super().add_override(parent_config_path, default)

    def override_default_option(self, default: GroupDefault) -> None:
        """Note what is replaced."""
        self.overridden[default.get_override_key()] = default.value
        super().override_default_option(default)


class Composition:
    """The pieces that Hydra merges for a command.

    Parameters
    ----------
    loader
        Hydra's configuration loader.
    overrides
        Those of the command line.
    """

    def __init__(self, loader: Any, overrides: list[str]) -> None:
        self._overrides, self._repository = loader._parse_overrides_and_create_caching_repo("config", overrides)
        self._choosing = Choosing(self._repository, self._overrides)
        defaults, self._tree = _create_defaults_list(
            self._repository, "config", self._choosing, prepend_hydra=True, skip_missing=True
        )
        self._pieces: list[tuple[str, DictConfig]] = [
            (self._place(str(default.config_path)), loader._load_single_config(default, self._repository).config)
            for default in defaults
        ]

    def choices(self, group: str) -> list[Setting]:
        """Who chooses the member of a group, ``optimizer`` or ``solver/milp@lns.repair``; the last one decides."""
        if not self._repository.group_exists(group.partition("@")[0]):
            return []
        found = list(self._first_choice(self._tree, group))
        found += [(self._place(by), value) for key, by, value in reversed(self._choosing.chosen) if key == group]
        settings = [Setting(place, group, _text(value)) for place, value in found]
        settings += self._swept(group)
        given = [override for override in self._overrides if self._is_choice(override)]
        return settings + [_given(override) for override in given if _group(override.get_key_element()) == group]

    def settings(self, key: str) -> list[Setting]:
        """Who sets a dotted key; the last one decides, and mappings are merged."""
        settings = [setting for place, piece in self._pieces if (setting := _setting(place, piece, key))]
        settings += self._swept(key)
        for override in self._overrides:
            if self._is_choice(override):
                continue
            if override.is_sweep_override() or override.is_delete():
                if f"{key}.".startswith(f"{override.key_or_group}."):
                    settings.append(_given(override))
            else:
                piece = OmegaConf.create()
                OmegaConf.update(piece, override.key_or_group, override.value(), force_add=True)
                settings += [setting for setting in [_setting(COMMAND_LINE, piece, key)] if setting]
        return settings

    def groups(self) -> list[str]:
        """Every group of which something is chosen."""
        return sorted(self._choosing.known_choices)

    def _is_choice(self, override: Override) -> bool:
        return self._repository.group_exists(override.key_or_group) and not isinstance(override.value(), dict)

    def _first_choice(self, tree: DefaultsTreeNode, group: str) -> Iterator[tuple[str, Any]]:
        for child in tree.children or []:
            node = child.node if isinstance(child, DefaultsTreeNode) else child
            if isinstance(node, GroupDefault) and node.get_override_key() == group and not node.is_external_append():
                yield self._place(tree.node.get_config_path()), self._choosing.overridden.get(group, node.value)
            if isinstance(child, DefaultsTreeNode):
                yield from self._first_choice(child, group)

    def _swept(self, key: str) -> list[Setting]:
        found = []
        for place, piece in self._pieces:
            params = OmegaConf.select(piece, "hydra.sweeper.params") or OmegaConf.create()
            for name in params:
                if _group(str(name)) == key:
                    found.append(Setting(place, key, _text(params._get_node(name)) + SWEPT))
        return found

    def _place(self, config_path: str) -> str:
        """The file or row that is chosen as ``config_path``."""
        source = next(source for source in self._repository.get_sources() if source.is_config(config_path))
        return (
            source.place(config_path) if isinstance(source, FileConfigSource) else f"{source.full_path()}{config_path}"
        )


def render(composition: Composition, cfg: DictConfig, key: str) -> str:
    """What ``--where KEY`` prints, empty if nothing sets the key.

    Parameters
    ----------
    cfg
        The whole configuration: says what an interpolation comes to.
    key
        A dotted key, or a group as it is chosen: ``optimizer.lr``, ``optimizer``, ``/data/views@data.views``.
    """
    group = _group(key.removeprefix("/"))
    blocks = []
    if choices := composition.choices(group):
        blocks.append(_block(f"{group}=, the last one chooses:", choices, group))
    if "/" not in key and (settings := composition.settings(key)):
        node = None if SWEPT in settings[-1].value else _resolved(cfg, key)
        merged = isinstance(node, dict)
        title = f"{key}, merged in this order:" if merged else f"{key}, the last one holds:"
        comes_to = "" if merged or "${" not in settings[-1].value else f" = {_text(node)}"
        blocks.append(_block(title, settings, key, comes_to, marked=not merged))
    return "\n".join(blocks)


def _block(title: str, settings: list[Setting], key: str, comes_to: str = "", marked: bool = True) -> str:
    width = max(len(setting.place) for setting in settings)
    lines = []
    for number, setting in enumerate(settings, start=1):
        mark = "->" if marked and number == len(settings) else "  "
        around = "" if setting.key == key else f"{setting.key}: "
        lines.append(f"{mark} {setting.place:<{width}}  {around}{setting.value}")
    return "\n".join([title, *lines]) + comes_to


def _setting(place: str, piece: DictConfig, key: str) -> Setting | None:
    """What a piece says of a key: its value, or that of the mapping around it if that is replaced by something else."""
    node: Node = piece
    passed: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing() or node._is_interpolation():
            break
        child = node._get_node(part)
        if not isinstance(child, Node):
            return None
        node = child
        passed.append(part)
    return Setting(place, ".".join(passed), _text(node)) if passed else None


def _given(override: Override) -> Setting:
    swept = SWEPT if override.is_sweep_override() else ""
    value = "deleted" if override.is_delete() else override.get_value_string() + swept
    return Setting(COMMAND_LINE, _group(override.get_key_element()), value)


def _group(name: str) -> str:
    """A group as Hydra names it: without a package that is its own."""
    group, _, package = name.lstrip("+~").partition("@")
    return group if package in ("", group.replace("/", ".")) else f"{group}@{package}"


def _resolved(cfg: DictConfig, key: str) -> Any:
    try:
        node = OmegaConf.select(cfg, key)
        return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        return f"({' '.join(str(error).split())})"


def _text(value: Any) -> str:
    """A value in one line of YAML."""
    if isinstance(value, Node):
        value = OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value._value()
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).removesuffix("...\n").strip()
