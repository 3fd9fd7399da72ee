"""The artifact cache: what is expensive to make is made once, and a damaged artifact is never a hit.

An artifact is one file: a magic line, the SHA-256 of (identity, payload), the payload. It is written by
:func:`runs.files.atomic_write` and its digest is checked on every read, so a killed, concurrent or truncated writer, a
flipped bit or a file copied to another key's place reads as "not there" and is made again. The identity is the hash of
the configuration that made it. Payloads are bytes, JSON or ``.npz`` without pickle.

An artifact is made by whoever holds its claim, an operating-system lock (``flock``) on a file beside it. The kernel
gives the claim back when its holder dies, on any node. This needs a file system whose ``flock`` is shared by all nodes:
local disks, NFS (version 4, or 3 with lockd; a dead *node*'s claims return when its lease ends, about 90 s), Lustre
mounted with ``-o flock``, GPFS, CephFS. A file system without ``flock`` is refused; one that keeps it local to a node
(Lustre ``-o localflock``) makes items twice but never wrongly, since the write itself is atomic.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import mmap
import time
import urllib.parse
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import filelock
import numpy as np

from runs import interrupt
from runs.errors import ConfigError, StorageError
from runs.files import atomic_write, read_json, write_json
from runs.secret import without_secrets

Item = int | str
Content = TypeVar("Content", bytes, memoryview)

_MAGIC = b"reprise artifact 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_CONFIG_CLAIM = ".config"
_CLAIM_POLL_SECONDS = 0.2
_LONGEST_NAME = 80  # leaves room for suffixes within the 100 characters that a temporary name keeps


def config_key(config: Mapping[str, Any]) -> str:
    """Hash of a configuration: the same for equal content, whatever the order of its keys.

    Parameters
    ----------
    config
        Plain or OmegaConf containers of numbers, strings, booleans, None, numpy scalars and paths.

    Raises
    ------
    ConfigError
        A value has no canonical form, or a key is not a string.
    """
    canonical = json.dumps(_plain(config, "config"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        if bad := [key for key in value if not isinstance(key, str)]:
            raise ConfigError(f"{where}: key {bad[0]!r} is not a string, so it has no canonical form; use string keys")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(
        f"{where} is a {type(value).__name__}, which has no canonical form to hash; "
        "pass numbers, strings, booleans, lists and mappings"
    )


class Collection:
    """The artifacts made by one configuration, one file per item.

    Parameters
    ----------
    folder
        Where the files lie; created when the first item is claimed.
    identity
        Bound into every digest: a file from another collection is not a hit here.
    config
        Stored beside the items for the reader; not read back.
    """

    def __init__(self, folder: Path | str, identity: str, config: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        self.identity = identity
        self.config = config

    def get(self, item: Item) -> bytes | None:
        """The payload of an item, checked against its digest; None if it is absent or damaged.

        Raises
        ------
        StorageError
            The file is there and cannot be read.
        """
        path = self._path(item)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused("read", path, error) from error
        return self._payload(item, content)

    def mapped(self, item: Item) -> memoryview | None:
        """The payload of an item as :meth:`get` gives it, but mapped: processes that read it at once share the memory.

        What is written into it stays in this process.

        Raises
        ------
        StorageError
            The file is there and cannot be mapped.
        """
        path = self._path(item)
        try:
            with path.open("rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except (FileNotFoundError, ValueError):  # an empty file has nothing to map
            return None
        except OSError as error:
            raise _refused("map", path, error) from error
        return self._payload(item, content)

    def _payload(self, item: Item, content: Content) -> Content | None:
        """What follows the head of a file, if its digest is right."""
        head = len(_MAGIC) + _DIGEST_BYTES
        payload = content[head:]
        whole = content[:head] == _MAGIC + self._digest(item, payload)
        return payload if whole else None

    def put(self, item: Item, payload: bytes) -> None:
        """Store an item, whole or not at all; the caller holds the item's claim.

        Raises
        ------
        StorageError
            The disk refused; an earlier file of this item is untouched.
        """
        if not isinstance(payload, bytes):
            raise TypeError(f"item {item!r}: the payload is {type(payload).__name__}; make must return bytes")
        path = self._path(item)
        try:
            self._describe()
            atomic_write(path, _MAGIC + self._digest(item, payload) + payload)
            self._failure_path(item).unlink(missing_ok=True)
        except OSError as error:
            raise _refused("write", path, error) from error

    def discard(self, item: Item) -> None:
        """Remove an item that nobody needs any more."""
        try:
            self._path(item).unlink(missing_ok=True)
        except OSError as error:
            raise _refused("remove", self._path(item), error) from error

    def get_or_make(self, item: Item, make: Callable[[], bytes]) -> bytes:
        """The payload of an item, made by the first of all processes that asks while the others wait.

        A process that dies while making it gives the item to the next one. An exception of ``make`` passes through.
        """
        while (payload := self.get(item)) is None:
            with self.claim(item) as mine:
                if mine and (payload := self.get(item)) is None:
                    payload = make()
                    self.put(item, payload)
            if payload is not None:
                break
            interrupt.check()
            time.sleep(_CLAIM_POLL_SECONDS)
        return payload

    def _describe(self) -> None:
        """Leave the configuration beside the items, written by one process."""
        path = self.folder / "config.json"
        if self.config is not None and not path.exists():
            with self._claim(_CONFIG_CLAIM) as mine:
                if mine:
                    write_json(path, without_secrets(self.config))

    def claim(self, item: Item) -> contextlib.AbstractContextManager[bool]:
        """Try to become the only process that makes an item; gives whether that succeeded, without waiting."""
        return self._claim(_file_name(item))

    @contextlib.contextmanager
    def _claim(self, name: str) -> Iterator[bool]:
        path = self.folder / "claims" / f"{name}.lock"
        lock = filelock.FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except filelock.Timeout:
            yield False
            return
        except OSError as error:
            raise _refused("lock", path, error) from error
        try:
            if isinstance(lock, filelock.SoftFileLock):
                raise _refused("lock", path, OSError(errno.ENOSYS, "the file system has no flock"))
            yield True
        finally:
            # What is made needs no claim; a process waiting on the unlinked file finds it made.
            with contextlib.suppress(OSError):
                made = "config.json" if name == _CONFIG_CLAIM else f"{name}.artifact"
                if (self.folder / made).exists():
                    path.unlink(missing_ok=True)
            lock.release()

    def remove_partial_writes(self) -> None:
        """Delete what killed writers left behind: a temporary file whose item nobody claims has no writer."""
        for partial in [*self.folder.glob(".*.artifact.*.part"), *self.folder.glob(".config.json.*.part")]:
            name = partial.name[1:].rpartition(".artifact.")[0] or _CONFIG_CLAIM
            with self._claim(name) as mine, contextlib.suppress(OSError):
                if mine:
                    partial.unlink()

    def record_failure(self, item: Item, reason: str, traceback: str = "") -> None:
        """Note beside the items why one could not be made; removed when it is made after all.

        Raises
        ------
        StorageError
            The disk refused.
        """
        note = {"item": str(item), "reason": reason, "traceback": traceback, "token": uuid.uuid4().hex}
        try:
            write_json(self._failure_path(item), without_secrets(note))
        except OSError as error:
            raise _refused("write", self._failure_path(item), error) from error

    def failure(self, item: Item) -> dict[str, str] | None:
        """The last recorded failure of an item: ``item, reason, traceback, token`` (new with each failure)."""
        note = read_json(self._failure_path(item))
        return note if isinstance(note, dict) and {"reason", "token"} <= note.keys() else None

    def _path(self, item: Item) -> Path:
        return self.folder / f"{_file_name(item)}.artifact"

    def _failure_path(self, item: Item) -> Path:
        return self.folder / "failures" / f"{_file_name(item)}.json"

    def _digest(self, item: Item, payload: bytes | memoryview) -> bytes:
        digest = hashlib.sha256(json.dumps([self.identity, str(item)]).encode() + b"\n")
        digest.update(payload)
        return digest.digest()


class ArtifactCache:
    """All artifacts below ``root`` (``paths.cache``): single ones by key, families of them as collections."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._single = Collection(self.root / "single", "single")

    @staticmethod
    def key(config: Mapping[str, Any]) -> str:
        """See :func:`config_key`."""
        return config_key(config)

    def get(self, key: str) -> bytes | None:
        """See :meth:`Collection.get`."""
        return self._single.get(key)

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """See :meth:`Collection.get_or_make`."""
        return self._single.get_or_make(key, make)

    def collection(self, name: str, config: Mapping[str, Any]) -> Collection:
        """The items that ``config`` describes, under a readable name; another configuration is another folder."""
        return self.collection_of(name, config_key(config), _plain(config, "config"))

    def collection_of(self, name: str, key: str, config: Mapping[str, Any] | None = None) -> Collection:
        """The same by the key of its configuration."""
        return Collection(self.root / _file_name(name) / _file_name(key), f"{name}/{key}", config)


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as an ``.npz`` payload.

    Raises
    ------
    TypeError
        An array holds Python objects, which only pickle could store.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; store numbers or fixed-width strings")
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def npz_arrays(payload: bytes) -> dict[str, np.ndarray]:
    """Inverse of :func:`npz_bytes`; no pickle is ever opened.

    Raises
    ------
    ValueError
        The payload is not an ``.npz`` archive of plain arrays.
    """
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, AttributeError) as error:
        raise ValueError(f"the payload is not an .npz archive of plain arrays: {error}") from error


def json_bytes(value: Any) -> bytes:
    """A value as a JSON payload (finite numbers only)."""
    return json.dumps(value, sort_keys=True, allow_nan=False).encode()


def json_value(payload: bytes) -> Any:
    """Inverse of :func:`json_bytes`."""
    return json.loads(payload)


def _file_name(item: Item) -> str:
    """One file name per item: readable where it is short, else its beginning and a hash."""
    name = urllib.parse.quote(str(item), safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:40]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"


_REMEDIES = {
    errno.ENOSPC: "free some space, or set paths.cache to a larger disk",
    errno.EDQUOT: "the quota is used up: free some space, or set paths.cache to another disk",
    errno.EFBIG: "the file size limit is too small (ulimit -f), or set paths.cache to another disk",
    errno.EROFS: "the file system is read-only: set paths.cache to a folder you can write to",
    errno.EACCES: "no permission: set paths.cache to a folder you can write to",
    errno.EPERM: "no permission: set paths.cache to a folder you can write to",
    errno.ENOSYS: "claims need flock: set paths.cache to a local disk or an NFSv4 mount",
    errno.EOPNOTSUPP: "claims need flock: set paths.cache to a local disk or an NFSv4 mount",
    errno.ENOLCK: "the lock service is not running (NFS lockd): set paths.cache to another disk",
}


def _refused(action: str, path: Path, error: OSError) -> StorageError:
    remedy = _REMEDIES.get(error.errno or 0, "check the disk, or set paths.cache to another folder")
    return StorageError(f"artifact cache: cannot {action} {path}: {error.strerror or error}; {remedy}")
