"""Image files that are decoded when they are wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor

from data.images.pixels import MOST_ELONGATED, Reading, rgb
from runs.errors import InvalidProblem

GREY = (128, 128, 128)
AS_STORED = Reading()


class FolderImages:
    """Image files; indexing gives clean images, :meth:`padded` what random crops are taken from.

    Parameters
    ----------
    paths
        One file per image.
    size
        Height and width of a clean image.
    clean_side
        Shorter side to which an image is resized before its centre is cut out as the clean image; at least ``size``.
    stored_side
        Shorter side to which larger images are reduced before random crops; smaller ones stay as they are.
    reading
        How a file becomes pixels.
    """

    def __init__(
        self, paths: Sequence[Path], size: int, clean_side: int, stored_side: int, reading: Reading = AS_STORED
    ) -> None:
        self.paths = list(paths)
        self.size, self.clean_side, self.stored_side = size, clean_side, stored_side
        self.reading = reading

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of all clean images together."""
        return len(self.paths), 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> UInt8[Tensor, "*images 3 size size"]:
        """Clean images: shorter side resized to ``clean_side``, the centre.

        Raises
        ------
        InvalidProblem
            A file is no whole image: names it.
        """
        if isinstance(index, int):
            return _as_tensor(self._clean(self.paths[index]))
        chosen = range(len(self))[index] if isinstance(index, slice) else torch.as_tensor(index).tolist()
        images = [_as_tensor(self._clean(self.paths[i])) for i in chosen]
        return torch.stack(images) if images else torch.empty(0, 3, self.size, self.size, dtype=torch.uint8)

    def stored(self, index: int) -> UInt8[Tensor, "3 height width"]:
        """One whole image, reduced to ``stored_side`` where it is larger.

        Raises
        ------
        InvalidProblem
            The file is no whole image: names it.
        """
        return _as_tensor(_open(self.paths[index], self.stored_side, self.reading, enlarge=False))

    def padded(self, indices: Sequence[int]) -> tuple[UInt8[Tensor, "batch 3 height width"], Int[Tensor, "batch 2"]]:
        """Whole images, each in the upper left of its frame, and their heights and widths."""
        images = [self.stored(i) for i in indices]
        sizes = torch.tensor([image.shape[1:] for image in images])
        frames = torch.zeros(len(images), 3, *sizes.max(dim=0).values.tolist(), dtype=torch.uint8)
        for frame, image in zip(frames, images, strict=True):
            frame[:, : image.shape[1], : image.shape[2]] = image
        return frames, sizes

    def take(self, indices: Int[Tensor, " chosen"]) -> FolderImages:
        """The files at ``indices``."""
        chosen = [self.paths[i] for i in indices.tolist()]
        return FolderImages(chosen, self.size, self.clean_side, self.stored_side, self.reading)

    @property
    def identity(self) -> str:
        """Hash of the files' names, sizes and times of change, and of how they are decoded."""
        digest = hashlib.sha256(repr((self.size, self.clean_side, self.stored_side, self.reading)).encode())
        for path in self.paths:
            state = path.stat()
            digest.update(repr((str(path), state.st_size, state.st_mtime_ns)).encode())
        return digest.hexdigest()

    def _clean(self, path: Path) -> Image.Image:
        image = _open(path, self.clean_side, self.reading, enlarge=True)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        return image.crop((left, top, left + self.size, top + self.size))


def _open(path: Path, side: int, reading: Reading, enlarge: bool) -> Image.Image:
    """The image, its shorter side reduced to ``side``, and also enlarged to it if told so; none is longer than 2:1."""
    try:
        image = rgb(path, reading, side)
    except InvalidProblem as error:
        raise InvalidProblem(
            f"{error}; replace or remove the file (data.source.check=decode finds all like it before training)"
        ) from error
    if max(image.size) > int(MOST_ELONGATED * min(image.size)):
        image = _on_a_square(image, side) if reading.elongated == "pad" else _cut(image)
    shorter = min(image.size)
    if shorter == side or (shorter < side and not enlarge):
        return image
    return _resized(image, side / shorter, side)


def _resized(image: Image.Image, factor: float, least: int) -> Image.Image:
    width, height = (max(least, round(length * factor)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _cut(image: Image.Image) -> Image.Image:
    """Its middle, twice as long as wide."""
    most = int(MOST_ELONGATED * min(image.size))
    width, height = (min(length, most) for length in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _on_a_square(image: Image.Image, side: int) -> Image.Image:
    """The whole of it, the longer side reduced to ``side`` where it is larger, in the middle of a grey square."""
    longer = max(image.size)
    if longer > side:
        image, longer = _resized(image, side / longer, 1), side
    square = Image.new("RGB", (longer, longer), GREY)
    square.paste(image, ((longer - image.width) // 2, (longer - image.height) // 2))
    return square


def _as_tensor(image: Image.Image) -> UInt8[Tensor, "3 height width"]:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
