"""Turn one node of the configuration into the object it describes; a mistake names the setting."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig

from runs.errors import ConfigError, MissingDependency, RepriseError


def build(cfg: DictConfig, name: str, **arguments: Any) -> Any:
    """Instantiate ``cfg.<name>`` with ``arguments`` added; None if that group was not chosen.

    Raises
    ------
    ConfigError
        A setting is unknown to its class, or its constructor refused a value.
    MissingDependency
        A class needs a package that is not installed.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    node = cfg.get(name)
    if node is None:
        return None
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        raise _explained(name, error) from error


def _explained(name: str, error: BaseException) -> RepriseError:
    place, cause = name, error
    while cause.__cause__ is not None and type(cause).__name__ == "InstantiationException":
        deeper = getattr(cause, "full_key", "") or ""
        place = deeper if deeper.startswith(name) else f"{name}.{deeper}" if deeper else place
        cause = cause.__cause__
    if isinstance(cause, RepriseError):
        return cause
    if found := re.search(r"(\w+)\.?(?:__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(cause)):
        owner, setting = found.groups()
        return ConfigError(
            f"{place}.{setting}: {owner} has no setting '{setting}'; it was left over from another choice or added by "
            f"hand. Remove it: '~{place}.{setting}'"
        )
    if isinstance(cause, ImportError):
        return MissingDependency(f"{place}: {cause}; pip install -c constraints.txt -e '.[dev]' brings every extra")
    return ConfigError(f"{place}: {cause}")
