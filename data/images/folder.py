"""A user's own folder of images."""

from __future__ import annotations

from pathlib import Path

import torch

from data.images.decoded import DecodedImages
from data.images.files import FolderImages
from data.images.source import ImageSet, ImageSource
from data.images.subset import split
from runs.errors import ConfigError
from runs.store.cache import ArtifactCache

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
TEST_NAMES = ("test", "val", "validation")


class Folder(ImageSource):
    """Images of any size: ``train/CLASS/*`` and ``val/CLASS/*`` (or ``test``), or ``CLASS/*`` alone, or files of no class.

    Parameters
    ----------
    folder
        Where they are. Without ``train`` in it, a part of all images is held out as the test set.
    size, clean_side, stored_side
        See :class:`~data.images.files.FolderImages`.
    test_fraction
        The part held out where there is no test folder.
    seed
        Of what is held out.
    decode_once
        Whether the images of training steps are kept in ``cache``, decoded, and mapped into memory.
    cache
        The artifact cache.

    Raises
    ------
    ConfigError
        A size is impossible, or there is no cache to decode into.
    """

    def __init__(
        self,
        folder: str,
        size: int,
        clean_side: int,
        stored_side: int,
        test_fraction: float = 0.1,
        seed: int = 0,
        decode_once: bool = False,
        cache: str | None = None,
    ) -> None:
        if not 0 < size <= clean_side:
            raise ConfigError(
                f"clean_side is {clean_side} and size {size}; clean_side must be at least size, and size positive"
            )
        if stored_side < 1:
            raise ConfigError(f"stored_side is {stored_side}; give the pixels of the shorter side, say 512")
        if decode_once and cache is None:
            raise ConfigError("decode_once is true and cache null; give the folder of the artifact cache")
        self.folder = Path(folder).expanduser()
        self.sides = (size, clean_side, stored_side)
        self.cache = ArtifactCache(cache) if decode_once and cache is not None else None
        self.test_fraction, self.seed = test_fraction, seed

    def train(self) -> ImageSet:
        """The images of ``train``, or those not held out.

        Raises
        ------
        ConfigError
            The folder is missing, or holds no image.
        """
        if (self.folder / "train").is_dir():
            return self._read(self.folder / "train")
        return split(self._read(self.folder), self.test_fraction, self.seed)[0]

    def test(self) -> ImageSet:
        """The images of ``test`` or ``val``, or those held out.

        Raises
        ------
        ConfigError
            The folder is missing or holds no image, or its classes are others than those to train on.
        """
        if not (self.folder / "train").is_dir():
            return split(self._read(self.folder), self.test_fraction, self.seed)[1]
        found = [self.folder / name for name in TEST_NAMES if (self.folder / name).is_dir()]
        if not found:
            raise ConfigError(f"{self.folder} has a folder train and none called {', '.join(TEST_NAMES)}; add one")
        images, classes = self._read(found[0]), self._read(self.folder / "train").classes
        if images.classes != classes:
            differ = sorted(set(images.classes) ^ set(classes))
            raise ConfigError(f"{found[0]} and {self.folder / 'train'} differ in the classes {', '.join(differ)}")
        return images

    def _read(self, folder: Path) -> ImageSet:
        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder; set data.source.folder to the folder of your images")
        classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        by_class = [_images(folder / name) for name in classes] or [_images(folder)]
        empty = [name for name, paths in zip(classes, by_class, strict=False) if not paths]
        if empty or not by_class[0]:
            place = folder / empty[0] if empty else folder
            raise ConfigError(f"{place} holds no image; images end in {', '.join(sorted(SUFFIXES))}")
        labels = torch.tensor([label for label, paths in enumerate(by_class) for _ in paths]) if classes else None
        found = [path for paths in by_class for path in paths]
        files = (
            FolderImages(found, *self.sides) if self.cache is None else DecodedImages(found, *self.sides, self.cache)
        )
        return ImageSet(files, labels, tuple(classes), self.folder.name)


def _images(folder: Path) -> list[Path]:
    """Image files in and below a folder, in order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
