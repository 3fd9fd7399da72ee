"""Settings whose worth shows only at the end of a run, looked at before its first second."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runs.errors import ConfigError, nearest

GREATEST_SEED = 2**32 - 1


def plain_seed(override: str) -> str:
    """``seed=01,02``, as ``seq -w`` counts, without the zeros in front, which would make texts of numbers."""
    key, _, values = override.partition("=")
    if key != "seed":
        return override
    return f"{key}=" + re.sub(r"(?<![\w.+-])0+(?=\d+(?![\w.]))", "", values)


def check(cfg: DictConfig) -> None:
    """Refuse what a later stage could not use.

    Raises
    ------
    ConfigError
        Names the setting, its value and what it must be.
    """
    seed = _value(cfg, "seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= GREATEST_SEED:
        raise ConfigError(f"seed is {seed!r}; give a whole number from 0 to {GREATEST_SEED}")
    for key in ("force", "debug"):
        if not isinstance(value := _value(cfg, key), bool):
            raise ConfigError(f"{key} is {value!r}; give true or false")
    moments = _value(cfg, "report.at_seconds")
    for moment in [] if moments is None else moments if isinstance(moments, list) else [moments]:
        if isinstance(moment, bool) or not isinstance(moment, (int, float)) or not 0 <= moment < math.inf:
            raise ConfigError(f"report.at_seconds is {moments!r}; give seconds, one number or a list [10,60]")
    for key in ("paper", "experiment"):
        name = _value(cfg, key)
        if not isinstance(name, str):
            raise ConfigError(
                f"{key} is {name!r}, not a name; does the experiment's file begin with the line '# @package _global_'?"
            )
        if not name.isprintable() or name in ("", ".") or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
            raise ConfigError(f"{key} is {name!r}, which would be a folder outside paths.outputs; give a plain name")
    if (score := _value(cfg, "score")) is not None and not isinstance(score, str):
        raise ConfigError(f"score is {score!r}; give the name of a metric")


def doubt_of_score(cfg: DictConfig) -> str:
    """What speaks against ``score`` before anything has run: the paper declares its metrics, and none of this name; or "".

    A run may measure more than is declared, so it is told and not refused.
    """
    if cfg.get("score") is None:
        return ""
    from runs.claims.metrics import load_metrics

    declared = load_metrics(cfg.paper)
    if not declared.names or declared.of(cfg.score).declared:
        return ""
    near = nearest(cfg.score, declared.names, f"conf/experiment/{cfg.paper}/metrics.yaml lists them")
    return f"score={cfg.score}: {cfg.paper} declares no such metric{near}. A run that does not measure it has no score"


def _value(cfg: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(cfg, key, throw_on_missing=True)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key} has no value: {' '.join(str(error).split())}") from error
