"""Turn one node of the configuration into the object it describes; a mistake names the setting."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig

from runs.errors import ConfigError, MissingDependency, RepriseError, installing


def build(cfg: DictConfig, name: str, chosen: Iterable[str] = ()) -> Any:
    """Instantiate ``cfg.<name>``; None if that group was not chosen.

    Parameters
    ----------
    chosen
        Groups whose objects are arguments too, each where the configuration has chosen one.

    Raises
    ------
    ConfigError
        There is no class; a setting is unknown to it or missing, its constructor refused a value, or the class takes no such
        object, or cannot do without it.
    MissingDependency
        A class needs a package that is not installed.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    node = cfg.get(name)
    if node is None:
        return None
    if "_target_" not in node:
        has = ", ".join(map(str, node)) or "nothing"
        raise ConfigError(f"{name} does not say what it is: it has {has} and no _target_, the class to build")
    parts = {group: build(cfg, group) for group in chosen if cfg.get(group) is not None}
    try:
        return instantiate(node, _convert_="all", **parts)
    except InstantiationException as error:
        raise _explained(name, error, tuple(chosen)) from error


def _explained(name: str, error: BaseException, groups: tuple[str, ...]) -> RepriseError:
    place, cause = name, error
    while cause.__cause__ is not None and type(cause).__name__ == "InstantiationException":
        deeper = getattr(cause, "full_key", "") or ""
        place = deeper if deeper.startswith(name) else f"{name}.{deeper}" if deeper else place
        cause = cause.__cause__
    if isinstance(cause, RepriseError):
        return cause
    if found := re.search(r"(\w+)\.?(?:__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(cause)):
        owner, setting = found.groups()
        if place == name and setting in groups:
            return ConfigError(f"{place}: {owner} takes no {setting}; leave it out: '{setting}=null'")
        return ConfigError(
            f"{place}.{setting}: {owner} has no setting '{setting}'; it was left over from another choice or added by "
            f"hand. Remove it: '~{place}.{setting}'"
        )
    if found := re.search(r"(\w+)\.?(?:__init__)?\(\) missing \d+ required [\w-]+ arguments?: '(\w+)'", str(cause)):
        owner, setting = found.groups()
        if place == name and setting in groups:
            return ConfigError(f"{place}: {owner} needs a {setting} and none is chosen; choose one: '{setting}=...'")
        return ConfigError(f"{place}.{setting}: {owner} needs '{setting}'; set it: '+{place}.{setting}=...'")
    if isinstance(cause, ImportError):
        return MissingDependency(f"{place}: {cause}; {installing('dev')} brings every extra")
    return ConfigError(f"{place}: {cause}")
