"""How Hydra reads a folder of configuration: with the rows of its tables among its files.

Whatever composes a configuration, in this process or in a worker of a launcher, asks its sources what they hold. So rows are
known wherever files are, and a user's own folder may have tables of its own, which go before those of the repository.
"""

from __future__ import annotations

import codecs
import copy
import hashlib
import os
from pathlib import Path

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from runs.errors import ConfigError
from runs.files import safe_yaml
from runs.launch.mistakes import clear_mistakes
from runs.launch.rows import SUFFIX, Table, read_table
from runs.launch.settings import check

NOT_COMPOSED = "not_composed"
"""Where the configuration of a job says why it is not the job's; its folder is called so, too."""


class FileConfigSource(file_config_source.FileConfigSource):
    """A folder of configuration in which a row counts as a file.

    It has the name of Hydra's, because a worker of a launcher registers that again and keeps what is there by this name.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        """What the file or row ``group/name`` states.

        Raises
        ------
        ConfigError
            A file is no YAML of settings, or a table breaks the format, or a row cannot be read alone: it may not refer to
        anchors of another one. Names file and line.
        """
        table, name = self._row(config_path)
        if table is None:
            return self._load_file(config_path)
        try:
            content = OmegaConf.create(table.rows[name].text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{table.path}: row '{name}': {' '.join(str(error).split())}") from error
        return ConfigResult(self.provider, self.full_path(), content, {"package": table.package})

    def _load_file(self, config_path: str) -> ConfigResult:
        path = Path(self.path, f"{config_path.removesuffix('.yaml')}.yaml")
        if not path.is_file():
            return super().load_config(config_path)
        if path.read_bytes().startswith(codecs.BOM_UTF8):
            raise ConfigError(f"{path}, line 1: begins with a byte order mark; save it as UTF-8 without one")
        try:
            found = super().load_config(config_path)
            content = safe_yaml(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            line = 1 + path.read_bytes()[: error.start].count(b"\n")
            raise ConfigError(f"{path}, line {line}: not a text in UTF-8") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f", line {mark.line + 1}" if mark else ""
            hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
            raise ConfigError(f"{path}{where}: {error.problem or error.context}{hint}") from error
        except (yaml.YAMLError, ValueError, OSError, OmegaConfBaseException, RecursionError) as error:
            raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
        if not isinstance(content, dict):
            kind = {"NoneType": "nothing; write {} for none", "list": "a list"}.get(type(content).__name__, "a text")
            raise ConfigError(f"{path}, line 1: expected settings, a name with its value each, found {kind}")
        return found

    def is_config(self, config_path: str) -> bool:
        """True if there is a file or a row of this name; a table is neither."""
        if f"{config_path.removesuffix('.yaml')}.yaml".endswith(SUFFIX):
            return False
        return self._row(config_path)[0] is not None or super().is_config(config_path)

    def is_group(self, config_path: str) -> bool:
        """True if there is a folder or a table of this name."""
        return super().is_group(config_path) or self._table(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The names in a group: of files, rows and groups, or of one kind."""
        found = set(super().list(config_path, results_filter)) if super().is_group(config_path) else set()
        if results_filter != ObjectType.GROUP and (table := self._table(config_path)):
            found |= set(table.rows)
        if results_filter != ObjectType.CONFIG:
            found |= {path.name.removesuffix(SUFFIX) for path in Path(self.path, config_path).glob(f"*{SUFFIX}")}
        return sorted(found)

    def place(self, config_path: str) -> str:
        """Where a file or row is, for a reader: ``conf/lns/ablation.rows.yaml: beta_25``."""
        table, name = self._row(config_path)
        return f"{os.path.relpath(table.path)}: {name}" if table else os.path.relpath(f"{self.path}/{config_path}.yaml")

    def _table(self, group: str) -> Table | None:
        path = Path(self.path, f"{group}{SUFFIX}")
        return read_table(path) if group and path.is_file() else None

    def _row(self, config_path: str) -> tuple[Table | None, str]:
        """The table that has a row of this name, if there is one."""
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        table = self._table(group)
        return (table if table and name in table.rows else None), name


class ConfigLoader(ConfigLoaderImpl):
    """Hydra's, whose job of a sweep that cannot be composed is a job that says why: the others of the sweep go on."""

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The configuration of one job, with :data:`NOT_COMPOSED` where there can be none."""
        try:
            with clear_mistakes(self, sweep_overrides):
                cfg = super().load_sweep_config(master_config, sweep_overrides)
                OmegaConf.select(cfg, "hydra.sweep.subdir")
                check(cfg)
                return cfg
        except ConfigError as error:
            cfg = copy.deepcopy(master_config)
            digest = hashlib.sha256(repr(sweep_overrides).encode()).hexdigest()[:10]
            flags: list[str] = ["struct", "readonly"]
            off: list[bool | None] = [False, False]
            with flag_override(cfg, flags, off), flag_override(cfg.hydra, flags, off):
                cfg[NOT_COMPOSED] = str(error)
                cfg.hydra.sweep.subdir = f"{NOT_COMPOSED}-{digest}"
                cfg.hydra.overrides.task = sweep_overrides
            return cfg


def compose(loader: ConfigLoader, overrides: list[str]) -> DictConfig:
    """What all jobs of a command have in common; of the first experiment where it sweeps through several.

    Raises
    ------
    ConfigError
        Nothing can be composed so; names the setting and the nearest that there is.
    """
    with clear_mistakes(loader, overrides):
        several = swept_experiments(loader, overrides)
        one = [text for text in overrides if not text.startswith("experiment=")]
        return loader.load_configuration(
            "config",
            [*one, f"experiment={several[0]}"] if several else overrides,
            RunMode.MULTIRUN,
            validate_sweep_overrides=False,
        )


def swept_experiments(loader: ConfigLoader, overrides: list[str]) -> list[str]:
    """The experiments that a command sweeps through; none if it names one."""
    texts = [text for text in overrides if text.startswith("experiment=")]
    for override in OverridesParser.create(config_loader=loader).parse_overrides(texts):
        if override.is_discrete_sweep():
            return list(override.sweep_string_iterator())
    return []


def register() -> None:
    """Let Hydra read folders of configuration so; its launchers tell their workers."""
    Plugins.instance()  # registers Hydra's own ways first
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource
