"""Where a search keeps its state between being killed and being started again."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from runs.files import atomic_write

State = dict[str, np.ndarray]


def prefixed(prefix: str, state: State) -> State:
    """The state of a part, to be joined with those of other parts."""
    return {f"{prefix}{key}": value for key, value in state.items()}


def under(prefix: str, state: State) -> State:
    """The state of the part that was joined as ``prefix``."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def random_state(state: Any) -> np.ndarray:
    """The ``state`` of a numpy bit generator as (bytes,) uint8."""
    return np.frombuffer(json.dumps(state, default=lambda array: array.tolist()).encode(), np.uint8)


def bit_generator_state(array: np.ndarray) -> Any:
    """Inverse of :func:`random_state`, of (bytes,) uint8."""
    return json.loads(array.tobytes())


class Checkpoint(Protocol):
    """What a solver sees: the state it saved last, and a place to save the next one."""

    def load(self) -> State | None: ...

    def save(self, state: State) -> None: ...

    def due(self) -> bool: ...


class FileCheckpoint:
    """State in one ``.npz`` file, replaced atomically.

    Parameters
    ----------
    path
        The file.
    every
        Seconds between two saves in the course of a search: ``due()`` is False in between, so that cheap iterations
        do not pay for the disk. A solver also saves, due or not, when it stops early.
    """

    def __init__(self, path: Path | str, every: float = 1.0) -> None:
        self.path = Path(path)
        self.every = every
        self._saved = time.monotonic()

    def load(self) -> State | None:
        """The last saved state; None if there is none. No pickle is ever opened."""
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError):
            return None

    def save(self, state: State) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **state)  # type: ignore[arg-type]
        atomic_write(self.path, buffer.getvalue())
        self._saved = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._saved >= self.every
