"""Configurations of the repository, composed in process as the launcher composes them."""

from __future__ import annotations

import re
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from runs.launch.config_folder import register
from runs.launch.rows import Choice
from runs.names import register_resolvers

CONF = Path(__file__).resolve().parents[1] / "conf"


def composed(*overrides: str, hydra: bool = False) -> DictConfig:
    """What the launcher composes from ``overrides``, with Hydra's own part on demand."""
    register_resolvers()
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=hydra)


def is_told(experiment: Choice) -> bool:
    """True if an experiment's file begins with its command, and file or row say what it shows."""
    name = f"{experiment.group.removeprefix('experiment/')}/{experiment.name}"
    if experiment.row is None:
        first, second, *_ = experiment.path.read_text(encoding="utf-8").splitlines()
        if first != "# @package _global_" or not re.match(rf"# python launch.py (-m )?experiment={name}\b", second):
            return False
    return bool(experiment.purpose)
