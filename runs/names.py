"""Names of runs and sweeps, derived from what they are: never from the clock, so the same command finds its own folder."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from runs import inputs, secret
from runs.errors import ConfigError

NOT_PART_OF_A_RUN = frozenset({"hydra", "paths", "logger", "debug", "force", "methods", "report", "score"})
"""Where results go, how they are shown, what else a sweep compares and what of it counts does not change what a run is."""


def task_overrides(hydra: Any) -> list[str]:
    """The overrides of a command or a job as they were written, Hydra's own left out.

    ``hydra`` is the configuration's node. Read as other values are, ``x=${seed}`` would be ``x=0``.
    """
    texts: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(text) for text in texts]


def part_of_a_run(override: str) -> bool:
    """Whether an override can change what a run is; see :data:`NOT_PART_OF_A_RUN`."""
    return _node(override) not in NOT_PART_OF_A_RUN


def is_hydras(override: str) -> bool:
    """Whether an override is about Hydra's own node."""
    return _node(override) == "hydra"


def _node(override: str) -> str:
    """The node of the configuration that an override is about."""
    return re.split(r"[.@/:=]", override.lstrip("+~"), maxsplit=1)[0]


def fingerprint(cfg: DictConfig, extra: Iterable[str] = ()) -> str:
    """Ten hex digits of a hash of the composed configuration, less :data:`NOT_PART_OF_A_RUN`.

    ``extra`` distinguishes sweeps over the same base configuration.
    """
    content: Any = OmegaConf.to_container(cfg, resolve=False)
    kept = {key: value for key, value in content.items() if key not in NOT_PART_OF_A_RUN}
    kept |= {"score": None} if "score" in content else {}  # which runs have in their names from when it was a part
    text = json.dumps([kept, sorted(extra)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def digest(*parts: Any) -> str:
    """Ten hex digits that tell these plain values from any others."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]


def safe_name(text: str) -> str:
    """A file name for any text, another one for any other text: no separators, no leading dot, at most 150 bytes.

    A text that is none is made one, and told from those that become the same by its hash.
    """
    plain = plain_name(text)
    return plain if plain == text else f"{plain}-{digest(text)}"


def plain_name(text: str) -> str:
    """The readable part of a file name, which two texts may share; at most 130 bytes."""
    plain = re.sub(r"[^\w.+-]+", "_", text).lstrip(".")
    return plain.encode()[:130].decode(errors="ignore") or "_"


def natural_order(name: str) -> list[tuple[float, str]]:
    """A sort key that has "ratio 2" before "ratio 10"."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if position % 2 else (-1.0, part) for position, part in enumerate(parts)]


def run_name(cfg: DictConfig) -> str:
    """Folder name of one run: method, data, seed and fingerprint; safe on every file system, at most 100 characters."""
    data = OmegaConf.select(cfg, "data.name")
    readable = "-".join(str(part) for part in (cfg.method, data, f"seed{cfg.seed}") if part)
    return f"{plain_name(readable)[:89]}-{fingerprint(cfg)}"


def sweep_name(cfg: DictConfig, experiments: Iterable[str] = ()) -> str:
    """Folder name of a sweep: experiment and fingerprint of the base configuration, its overrides and swept values.

    ``experiments`` are those of a sweep through several.
    """
    swept = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
    # The experiment's content counts, not its name: a figure may be another view of a table
    given = [text for text in task_overrides(cfg.hydra) if part_of_a_run(text) and not text.startswith("experiment=")]
    if experiments:
        return f"own-{fingerprint(cfg, [*given, *experiments])}"
    return f"{cfg.experiment}-{fingerprint(cfg, [*swept, *given])}"


def jobs_at_once(threads: int | None) -> int:
    """How many jobs of so many threads this machine runs side by side."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // (threads or cores))


def json_of(*paths: str, _root_: DictConfig, _parent_: DictConfig) -> str:
    """The resolved nodes at ``paths``, by path, as JSON; an absent one is null.

    A path that begins with dots is relative, ``.x`` beside the text itself, and is known by what follows the dots: the same
    part of a configuration has the same JSON wherever it stands. Where nodes name files, their content is there too, under
    ``inputs``. Secrets of the environment are hidden.
    """
    with secret.hidden():
        nodes: dict[str, Any] = {
            path.lstrip("."): OmegaConf.select(_parent_ if path.startswith(".") else _root_, path) for path in paths
        }
        resolved = {
            path: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
            for path, node in nodes.items()
        }
    plain = secret.without_secrets(resolved)
    plain = _elsewhere(plain, OmegaConf.select(_root_, "paths.cache"))
    look = inputs.contents(_root_.get("paths") or {})
    read = {key: look.digest(path) for key, path in inputs.named(plain).items()}
    return json.dumps(plain | ({"inputs": read} if read else {}), sort_keys=True)


def _elsewhere(node: Any, cache: str | None) -> Any:
    """The same without the settings that say where the artifact cache is."""
    if isinstance(node, dict):
        return {key: _elsewhere(value, cache) for key, value in node.items() if (key, value) != ("cache", cache)}
    return [_elsewhere(value, cache) for value in node] if isinstance(node, list) else node


def newest_sweep(experiment: str) -> str | None:
    """The sweep that was begun last of an experiment, given as the path of its outputs without a sweep's own ending."""
    path = Path(experiment).expanduser().absolute()
    begun = {found.stat().st_mtime: found.parent for found in path.parent.glob(f"{path.name}-*/sweep.json")}
    return str(begun[max(begun)]) if begun else None


def measured(function: str, *arguments: Any) -> Any:
    """What a function of the package ``data``, called by its dotted name, finds out from its arguments: a value or a list.

    Raises
    ------
    ConfigError
        It is of another package.
    """
    module, _, name = function.rpartition(".")
    if not module.startswith("data."):
        raise ConfigError(f"${{measured:{function}}} names no function of data; what others do is not asked for here")
    found = getattr(importlib.import_module(module), name)(*arguments)
    return OmegaConf.create(found) if isinstance(found, list) else found


def register_resolvers() -> None:
    """Make these known to OmegaConf.

    ``${name_of:a/b}`` is b, ``${folder_of:a/b}`` is a, ``${run_name:}`` is :func:`run_name` and ``${jobs_at_once:n}`` is
    :func:`jobs_at_once`; ``${where_absent:x,value}`` is the value if x is null, and null otherwise.
    ``${where_at_least:x,bound,value,other}`` is the value if x is no less than the bound, and the other otherwise.
    ``${newest_sweep:path}`` is :func:`newest_sweep`.
    ``${measured:data.module.function,a,b}`` is what a function of ``data`` finds out from files: sizes that networks need.
    ``${json_of:a,b.c}`` is the resolved content of these nodes as JSON: what an artifact made from them is known by.
    """
    resolvers: dict[str, Callable[..., Any]] = {
        "name_of": lambda path: str(path or "own").rsplit("/", 1)[-1],
        "folder_of": lambda path: str(path).rsplit("/", 1)[0] if path and "/" in str(path) else "own",
        "jobs_at_once": jobs_at_once,
        "where_absent": lambda given, value: value if given is None else None,
        "where_at_least": lambda given, bound, value, other: value if given >= bound else other,
        "json_of": json_of,
        "newest_sweep": newest_sweep,
        "measured": measured,
        "run_name": lambda *, _root_: run_name(_root_),
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
