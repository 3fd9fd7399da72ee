"""Whether what a finished run left is still what it wrote.

``metrics.json`` lists the files that a report reads, with size and hash, and ends in a hash of itself. A record of an older
version has no such list; it is taken as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runs.errors import ConfigError
from runs.files import plain, safe_yaml

RECORD = "metrics.json"
SETTINGS = "config.yaml"
FILES = (SETTINGS, "environment.json", "results.parquet", "traces.parquet", "iterations.parquet")
_FILES, _SEAL = "files", "sha256"
_KINDS: dict[str, tuple[type, ...]] = {
    "metrics": (dict,),
    "not_averaged": (dict,),
    "without_value": (dict,),
    "score": (int, float, type(None)),
    "wall_seconds": (int, float),
    "peak_memory_gib": (int, float),
    "instance_errors": (dict,),
    _FILES: (dict,),
}


def sealed(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``metrics.json``, with what tells later whether it and the other files of ``folder`` are whole."""
    found = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    listed = {name: {"bytes": len(content), _SEAL: _hash(content)} for name, content in found.items()}
    content = plain({**record, _FILES: listed})
    return content | {_SEAL: _hash_of(content)}


def damage(folder: Path, record: Mapping[str, Any]) -> str:
    """What is wrong with a finished run whose ``metrics.json`` holds ``record``, in words; "" if it is whole.

    Other settings than the run was made with are no damage, see :func:`edited`, if only they can be read.
    """
    wrong = [name for name, kinds in _KINDS.items() if name in record and not isinstance(record[name], kinds)]
    content = {key: value for key, value in record.items() if key != _SEAL}
    if wrong or record.get(_SEAL, _hash_of(content)) != _hash_of(content):
        return f"{RECORD} is not what the run wrote{f' (its {wrong[0]})' if wrong else ''}"
    if not (folder / SETTINGS).is_file():
        return f"{SETTINGS} is gone"
    if edited(folder, record):
        try:
            read_settings(folder)
        except ConfigError as error:
            return str(error)
    for name, wanted in record.get(_FILES, {}).items():
        if not (folder / name).is_file():
            return f"{name} is gone"
        if name != SETTINGS and _differs(folder / name, wanted):
            return f"{name} is not what the run wrote"
    return ""


def edited(folder: Path, record: Mapping[str, Any]) -> bool:
    """True if the file of settings is no longer what the run wrote."""
    wanted = record.get(_FILES, {}).get(SETTINGS)
    return wanted is not None and _differs(folder / SETTINGS, wanted)


def read_settings(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run, plain.

    Raises
    ------
    ConfigError
        It is no mapping of settings in YAML, or its seed is no integer: names the file and what was found.
    """
    try:
        config = safe_yaml((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{SETTINGS} is not valid YAML ({error})") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{SETTINGS}: expected a mapping of settings, found {type(config).__name__}")
    if type(config.get("seed", 0)) is not int:
        raise ConfigError(f"{SETTINGS}: seed must be an integer, found {config['seed']!r}")
    return config


def _differs(path: Path, wanted: Any) -> bool:
    if not isinstance(wanted, dict) or path.stat().st_size != wanted.get("bytes"):
        return True
    return _hash(path.read_bytes()) != wanted.get(_SEAL)


def _hash_of(content: Any) -> str:
    return _hash(json.dumps(content, sort_keys=True).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
