"""The files a training is resumed from: ``checkpoints/last.ckpt``, and the one before until the next is whole."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from runs.files import atomic_write, damaged_part

FOLDER = "checkpoints"
LAST = Path(FOLDER) / "last.ckpt"
BEFORE = Path(FOLDER) / "before_last.ckpt"
"""The checkpoint before the last one, while the training goes on."""

_NEXT = Path(FOLDER) / "next.ckpt"
_LOG = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints beside their place, synced, and renames them.

    Lightning writes into the folder of temporary files; if that is another file system, the file is then copied over the
    good one, and a kill or a full disk in that moment leaves neither.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write it; after an error the old file, if any, is untouched."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getbuffer())


def replace_last(trainer: Any, folder: Path) -> None:
    """Save the training as its last checkpoint; the one that was the last is kept until the next is whole."""
    trainer.save_checkpoint(folder / _NEXT)
    if trainer.is_global_zero:
        with contextlib.suppress(FileNotFoundError):
            (folder / LAST).replace(folder / BEFORE)
        (folder / _NEXT).replace(folder / LAST)


def recovered_last(folder: Path) -> Path | None:
    """The last checkpoint, if a training left one: the newest file that is whole, moved to its place.

    One that is not whole is set aside with a warning.
    """
    for path in (folder / _NEXT, folder / LAST, folder / BEFORE):
        if not path.is_file():
            continue
        whole = damaged_part(path) is None
        place = folder / LAST if whole else path.with_suffix(".unreadable")
        with contextlib.suppress(FileNotFoundError):  # another rank was faster
            path.replace(place)
        if whole:
            return place
        _LOG.warning("%s is not whole and lies in %s now; training goes on from what was saved before", path, place)
    return None
