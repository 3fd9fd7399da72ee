"""Read an offline ``.wandb`` file: a LevelDB log whose records are protocol buffers."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = 32768
_FULL, _LAST = 1, 4


@dataclass
class OfflineRun:
    """What W&B would receive."""

    group: str = ""
    name: str = ""
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    def series(self, name: str) -> list[Any]:
        """Values of one key, in order."""
        return [row[name] for row in self.history if name in row]


def read_wandb_file(path: Path) -> OfflineRun:
    from wandb.proto.wandb_internal_pb2 import Record

    run = OfflineRun()
    for content in _records(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.group, run.name, run.project = record.run.run_group, record.run.display_name, record.run.project
            run.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "config":
            run.config |= _items(record.config.update)
        elif kind == "history":
            run.history.append(_items(record.history.item))
        elif kind == "summary":
            run.summary |= _items(record.summary.update)
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _items(items: Any) -> dict[str, Any]:
    """Values by key; a value that is a mapping comes in pieces, each with its path."""
    tree: dict[str, Any] = {}
    for item in items:
        *parents, leaf = item.nested_key or [item.key]
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = json.loads(item.value_json)
    return tree


def _records(content: bytes) -> list[bytes]:
    assert content[:4] == b":W&B"
    position, records, part = 7, [], b""
    while position + 7 <= len(content):
        left = _BLOCK - position % _BLOCK
        if left < 7:
            position += left
            continue
        _checksum, length, kind = struct.unpack_from("<IHB", content, position)
        if kind == 0:
            break
        part += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (_FULL, _LAST):
            records.append(part)
            part = b""
    return records
