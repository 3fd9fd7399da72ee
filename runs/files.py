"""Writing that is whole or absent: a temporary name, fsync, then rename.

Every file of a run record and of the artifact cache is written here, so a crash, a full disk or a SIGKILL at any
moment leaves either the old content or the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

_UMASK = os.umask(0o077)
os.umask(_UMASK)
MODE = 0o666 & ~_UMASK
"""Of every file: as the user's umask says, so that colleagues of a group can go on with a run."""


def atomic_write(path: Path | str, content: bytes | memoryview) -> None:
    """Replace ``path`` by ``content``; after an error the old file, if any, is untouched.

    Raises
    ------
    OSError
        The disk refused (no space, read-only, no permission). No temporary file is left behind.
    """
    path = Path(path)
    try:
        _replace(path, content)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    _sync_folder(path.parent)


def _replace(path: Path, content: bytes | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.chmod(temporary, MODE)  # mkstemp's file is its owner's alone
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; file systems that cannot fsync a folder are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as strict JSON (NaN and infinity become null), atomically."""
    atomic_write(path, json.dumps(plain(value), indent=2, allow_nan=False).encode() + b"\n")


def read_json(path: Path | str) -> Any:
    """The content of a JSON file, or None where it is absent or not whole."""
    try:
        return json.loads(Path(path).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError):
        return None


def read_record(path: Path | str) -> dict[str, Any]:
    """The mapping in a JSON file; an empty one where it is absent, not whole, or holds something else."""
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def plain(value: Any) -> Any:
    """The value as strict JSON holds it: keys are texts, a number that is not finite is None, lists are lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # numpy and torch scalars
        value = value.item()
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def damaged_part(archive: Path | BinaryIO) -> str | None:
    """What of a zip archive, as torch and numpy write them, is not as it was written; None if it is whole.

    Torch reads tensors without a look at their checksums, and of a part that is marked as a folder (bit 4) nothing at all.
    """
    try:
        with zipfile.ZipFile(archive) as parts:
            folder = next((part.filename for part in parts.infolist() if part.external_attr & 0x10), None)
            return folder or parts.testzip()
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        return str(error)


def safe_yaml(text: str) -> Any:
    """Plain data from YAML, by the C parser where there is one; raises ``yaml.YAMLError``."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
