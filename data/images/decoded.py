"""Decoded image files in the artifact cache, mapped into memory: a training step copies pixels instead of decoding files."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import PIL
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from data.images.files import AS_STORED, FolderImages
from data.images.pixels import Reading
from runs.store.cache import ArtifactCache

CHUNK = 256
"""Files whose pixels lie in one item of the cache."""


class DecodedImages(FolderImages):
    """:class:`FolderImages` whose stored images are decoded once, by whichever process wants one of a chunk first.

    A chunk is made anew where one of its files has changed.

    Parameters
    ----------
    paths, size, clean_side, stored_side, reading
        As there. A stored image takes about ``4 stored_side ** 2`` bytes.
    cache
        Where the pixels are kept.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        size: int,
        clean_side: int,
        stored_side: int,
        cache: ArtifactCache,
        reading: Reading = AS_STORED,
    ) -> None:
        super().__init__(paths, size, clean_side, stored_side, reading)
        self._all, self._rows = self.paths, list(range(len(self.paths)))
        self._kept = cache.collection("decoded_images", {"stored_side": stored_side, "pillow": PIL.__version__})
        self._opened: dict[int, list[UInt8[Tensor, "3 height width"]]] = {}

    def stored(self, index: int) -> UInt8[Tensor, "3 height width"]:
        chunk, row = divmod(self._rows[index], CHUNK)
        if chunk not in self._opened:
            self._opened[chunk] = self._chunk(self._all[chunk * CHUNK : (chunk + 1) * CHUNK])
        return self._opened[chunk][row]

    def take(self, indices: Int[Tensor, " chosen"]) -> DecodedImages:
        chosen = copy.copy(self)
        chosen.paths = [self.paths[i] for i in indices.tolist()]
        chosen._rows = [self._rows[i] for i in indices.tolist()]
        return chosen

    def _chunk(self, paths: list[Path]) -> list[UInt8[Tensor, "3 height width"]]:
        """The images of a chunk, which lie in a mapped file: heights and widths first, then all pixels."""
        files = FolderImages(paths, self.size, self.clean_side, self.stored_side, self.reading)
        item = hashlib.sha256(files.identity.encode()).hexdigest()[:32]
        content = self._kept.mapped(item)
        if content is None:
            self._kept.get_or_make(item, lambda: _packed([files.stored(i) for i in range(len(files))]))
            content = self._kept.mapped(item)
            assert content is not None
        head = 8 * 2 * len(paths)
        sizes = torch.frombuffer(content[:head], dtype=torch.int64).view(-1, 2).tolist()
        pixels = torch.frombuffer(content[head:], dtype=torch.uint8)
        parts = pixels.split([3 * height * width for height, width in sizes])
        return [part.view(3, height, width) for part, (height, width) in zip(parts, sizes, strict=True)]


def _packed(images: list[UInt8[Tensor, "3 height width"]]) -> bytes:
    sizes = torch.tensor([image.shape[1:] for image in images])
    return b"".join(values.numpy().tobytes() for values in (sizes, *images))
