"""What a run reads from outside, known by content: files and folders that its configuration names.

A setting names something outside if its key is one of :data:`KEYS` or ends in ``_`` and one of them, and its value, a text,
is the path of something that exists. Content is hashed once: a listing in the artifact cache keeps the hash of each file
beside its size and time of change, so that a folder of 100,000 images is looked at, not read, the next time.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runs.files import atomic_write, read_json, write_json
from runs.text import printable

KEYS = ("path", "folder", "file", "checkpoint", "sweep")
READ_AT_MOST = 2 << 30
"""Bytes below one path; files beyond count by size and time of change."""
RECORD = "inputs.json"
"""In a run's folder: what it read."""

_NETWORK = ("config.yaml", "checkpoints")
"""What counts of a run's folder: its other files change while nothing of the network does."""


class Entry(NamedTuple):
    """One file: its size and time of change, and the hash of its content."""

    size: int
    changed: int
    content: str


Listing = dict[str, Entry]
"""By name relative to the path; a single file has the name ""."""


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a plain nested configuration, lists included."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from leaves(value, f"{key}.{index}")
    else:
        yield key, node


def named(config: Any) -> dict[str, str]:
    """The paths as they are given, by dotted key, of what a plain, resolved configuration names and what exists."""
    return {key: value for key, value in leaves(config) if _is_input(key) and _exists(value)}


def _is_input(key: str) -> bool:
    name = next((part for part in reversed(key.split(".")) if not part.isdigit()), "")
    return name in KEYS or name.endswith(tuple(f"_{each}" for each in KEYS))


def _exists(value: Any) -> bool:
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        return Path(value).expanduser().exists()
    except OSError:  # too long for a name, or not allowed to look
        return False


class Contents:
    """The content of paths, each looked at once.

    Parameters
    ----------
    cache
        Folder of the artifact cache, where listings are kept; None: nowhere.
    outside
        Folders whose files do not count below another path: outputs and cache may lie among the data.
    """

    def __init__(self, cache: Path | str | None, outside: Iterable[Path | str] = ()) -> None:
        self.folder = None if cache is None else Path(cache).expanduser().absolute() / "inputs"
        outside = outside if cache is None else (*outside, cache)
        self.outside = frozenset(Path(path).expanduser().resolve() for path in outside)
        self.listing = functools.cache(self._listing)

    def digest(self, path: str) -> str:
        """Hash of names and contents below a path.

        Raises
        ------
        OSError
            Something cannot be read.
        """
        return _digest(self.listing(path))

    def before(self, path: str, digest: str) -> Listing | None:
        """The listing that had this digest; None if the cache has lost it."""
        return None if self.folder is None else _read(self.folder / _file(_resolved(path), digest))

    def _listing(self, path: str) -> Listing:
        place = _resolved(path)
        states = dict(_states(place, self.outside))
        known = self._newest(place)
        size = sum(state.st_size for state in states.values())
        found = {
            name: _entry(place / name if name else place, state, known.get(name), size <= READ_AT_MOST)
            for name, state in states.items()
        }
        if self.folder is not None and found != known:
            content = json.dumps(found, separators=(",", ":")).encode()
            atomic_write(self.folder / _file(place, _digest(found)), gzip.compress(content, 1, mtime=0))
        return found

    def _newest(self, place: Path) -> Listing:
        kept = [] if self.folder is None else [*self.folder.glob(_file(place, "*"))]
        return (_read(max(kept, key=lambda path: path.stat().st_mtime_ns)) if kept else None) or {}


def _file(place: Path, digest: str) -> str:
    return f"{hashlib.sha256(os.fsencode(place)).hexdigest()[:20]}-{digest}.json.gz"


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _read(path: Path) -> Listing | None:
    try:
        entries = json.loads(gzip.decompress(path.read_bytes()))
        return {name: Entry(*entry) for name, entry in entries.items()}
    except (OSError, EOFError, ValueError, TypeError, AttributeError):
        return None


def _digest(listing: Listing) -> str:
    content = json.dumps(sorted((name, entry.content) for name, entry in listing.items()))
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _states(place: Path, outside: frozenset[Path]) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a path; hidden ones do not count, and of runs only what a network is made of."""
    if not place.is_dir():
        yield "", place.stat()
        return
    waiting, seen = [(place, "")], {place}
    while waiting:
        folder, prefix = waiting.pop()
        with os.scandir(folder) as found:
            entries = {entry.name: entry for entry in found if entry.name[0] != "."}
        if "config.yaml" in entries and ("environment.json" in entries or "checkpoints" in entries):
            entries = {name: entry for name, entry in entries.items() if name in _NETWORK}
        for name, entry in entries.items():
            if entry.is_dir():
                below = Path(entry).resolve()
                if below not in seen and below not in outside:  # a link may lead to a folder above
                    seen.add(below)
                    waiting.append((below, f"{prefix}{name}/"))
            elif entry.is_file():
                yield prefix + name, entry.stat()


def _entry(path: Path, state: os.stat_result, known: Entry | None, read: bool) -> Entry:
    """The hash that is known of a file with this size and time of change, or that of its content."""
    size, changed = state.st_size, state.st_mtime_ns
    if known is not None and (known.size, known.changed) == (size, changed):
        return known
    if not read or not path.is_file():
        return Entry(size, changed, f"{size}-{changed}")
    with path.open("rb") as stream:
        return Entry(size, changed, hashlib.file_digest(stream, "blake2b").hexdigest()[:20])


def contents(paths: Mapping[str, Any]) -> Contents:
    """By the ``cache`` and the ``outputs`` of a configuration's paths."""
    outputs = paths.get("outputs")
    return Contents(paths.get("cache"), [outputs] if outputs else [])


def record(folder: Path, config: Mapping[str, Any], paths: Mapping[str, Any]) -> None:
    """Write what a run's configuration names, and its content, into its folder.

    Parameters
    ----------
    config
        Plain and resolved, without where things lie and how they are shown.
    paths
        ``cache`` and ``outputs``.
    """
    look = contents(paths)
    read = {key: {"path": path, "content": look.digest(path)} for key, path in named(config).items()}
    write_json(folder / RECORD, {"paths": {name: paths.get(name) for name in ("cache", "outputs")}, "read": read})


def changed(folders: Iterable[Path], now: Mapping[str, str] | None = None) -> dict[Path, list[str]]:
    """What is no longer as the runs in these folders read it, in words; nothing of runs for which nothing has changed.

    A path that has vanished does not count where it was absolute: what was computed from it stays true.

    Parameters
    ----------
    now
        What the settings name today, as of :func:`named`; else the paths that were recorded.
    """
    looks: dict[str, Contents] = {}
    found = {}
    for folder in folders:
        try:
            about = read_json(folder / RECORD) or {"read": {}}
            known = {key: (str(entry["path"]), str(entry["content"])) for key, entry in about["read"].items()}
            paths = about["paths"] if known else {}
        except (TypeError, KeyError, AttributeError):  # damaged: nothing is known
            continue
        look = looks.setdefault(json.dumps(paths), contents(paths))
        today = {key: path for key, (path, _) in known.items()} | dict(now or {})
        if lines := [line for key in known if (line := _difference(key, today[key], *known[key], look))]:
            found[folder] = lines
    return found


def _difference(key: str, path: str, path_before: str, before: str, look: Contents) -> str:
    if not _exists(path):
        return "" if Path(path).expanduser().is_absolute() else f"{key}: {path} is not in {Path.cwd()}"
    if look.digest(path) == before:
        return ""
    return f"{key}: {_told(path, look.before(path_before, before), look.listing(path))}"


def _told(path: str, before: Listing | None, now: Listing, most: int = 3) -> str:
    """In words, which files below a path differ."""
    if before is None or "" in now or "" in before:
        return f"{path} has changed"
    differ = {
        "new": sorted(now.keys() - before.keys()),
        "gone": sorted(before.keys() - now.keys()),
        "changed": sorted(name for name in now.keys() & before.keys() if now[name].content != before[name].content),
    }
    parts = [
        f"{', '.join(names[:most])}{f' and {len(names) - most} others' if len(names) > most else ''} {how}"
        for how, names in differ.items()
        if names
    ]
    return printable(f"in {path} {'; '.join(parts)}")
