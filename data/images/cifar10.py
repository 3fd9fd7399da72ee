"""CIFAR-10 (Krizhevsky, Learning multiple layers of features from tiny images, 2009): 32 x 32 pixels, ten classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import PIL
import torch

from data.download import DataFile
from data.images import cifar10_binary, cifar10_npz
from data.images.cifar10_npz import Arrays
from data.images.source import ImageSet, ImageSource
from runs.errors import ConfigError
from runs.store.cache import ArtifactCache

SIZE = 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
"""As the catalogue of TensorFlow Datasets has it."""
PICKLED = ("cifar-10-python.tar.gz", "cifar-10-batches-py")


class Cifar10(ImageSource):
    """The official binary files if they are there, extracted or not, else the re-saved JPEGs; decoded once.

    The decoded images are kept in the artifact cache and mapped into memory. Where no file is found the binary archive is
    fetched.

    Parameters
    ----------
    folder
        Where the files are.
    cache
        The artifact cache.
    """

    def __init__(self, folder: str, cache: str) -> None:
        self.folder = Path(folder).expanduser()
        self.cache = ArtifactCache(cache)

    def train(self) -> ImageSet:
        """50,000 images."""
        return self._decoded("train")

    def test(self) -> ImageSet:
        """10,000 images."""
        return self._decoded("test")

    def _decoded(self, split: str) -> ImageSet:
        files, read = self._files(split)
        described = {path.name: _sha256(path) for path in files}
        collection = self.cache.collection(
            "images", {"source": "cifar10", "files": described, "pillow": PIL.__version__}
        )
        content = collection.mapped(split)
        if content is None:
            collection.get_or_make(split, lambda: b"".join(array.tobytes() for array in reversed(read())))
            content = collection.mapped(split)
            assert content is not None
        values = torch.frombuffer(content, dtype=torch.uint8)
        count = len(values) // (1 + 3 * SIZE * SIZE)
        return ImageSet(values[count:].view(count, 3, SIZE, SIZE), values[:count].long(), CLASSES, f"cifar10-{split}")

    def _files(self, split: str) -> tuple[Sequence[Path], Callable[[], Arrays]]:
        """The files of a split, and what reads them."""
        for folder in (self.folder, self.folder / cifar10_binary.FOLDER):
            extracted = [folder / name for name in cifar10_binary.FILES[split]]
            if extracted[0].is_file():
                return _all_there(extracted), partial(cifar10_binary.read_files, extracted, len(CLASSES), SIZE)
        archive, packed = self.folder / ARCHIVE, self.folder / f"cifar10_{split}.npz"
        if not archive.is_file():
            if packed.is_file():
                return [packed], partial(cifar10_npz.read, packed, CLASSES, SIZE)
            pickled = [self.folder / name for name in PICKLED if (self.folder / name).exists()]
            if pickled:
                raise ConfigError(
                    f"{pickled[0]} is the pickled version of CIFAR-10, and pickles run code when they are opened; put the "
                    f"binary version, {URL}, into the folder {self.folder} instead"
                )
            archive = DataFile(str(archive), URL, SHA256).find()
        return [archive], partial(cifar10_binary.read_archive, archive, split, len(CLASSES), SIZE)


def _all_there(paths: Sequence[Path]) -> Sequence[Path]:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ConfigError(f"{missing[0]} is missing beside {paths[0].name}; put all files of {ARCHIVE} into the folder")
    return paths


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
