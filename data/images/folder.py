"""A user's own folder of images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from data.images.decoded import DecodedImages
from data.images.files import FolderImages
from data.images.layout import Part, laid_out
from data.images.pixels import Reading
from data.images.source import ImageSet, ImageSource
from data.images.subset import split
from data.images.survey import ELONGATED, Survey, survey
from data.loading import place
from runs.errors import ConfigError, nearest
from runs.store.cache import ArtifactCache
from runs.text import printable

_log = logging.getLogger(__name__)
CHECKS = ("headers", "decode")
BROKEN = ("stop", "skip")


class Folder(ImageSource):
    """Images of any size: ``train/CLASS/*`` and ``val/CLASS/*`` (or ``test``), or ``CLASS/*`` alone, or files of no class.

    Before the first image is used every file of every part is looked at, and what was found is said.

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
    labels
        Whether folders are classes (True), or images have no labels (False); None for what the layout says.
    check
        "headers" finds files that are cut off or no images, "decode" every damage.
    broken
        What is done where a file is broken: "stop", with a list of all, or "skip".
    value_range, elongated, max_pixels
        See :class:`~data.images.pixels.Reading`. A range of None is that of the format: 0 to 65,535 for whole numbers, and
        0 to 1, or 0 to 255, for floating point numbers that all lie there.

    Raises
    ------
    ConfigError
        A setting is impossible, or there is no cache to decode into.
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
        labels: bool | None = None,
        check: str = "headers",
        broken: str = "stop",
        value_range: Sequence[float] | None = None,
        elongated: str = "cut",
        max_pixels: int = 1 << 27,
    ) -> None:
        if not 0 < size <= clean_side:
            raise ConfigError(
                f"clean_side is {clean_side} and size {size}; clean_side must be at least size, and size positive"
            )
        if stored_side < 1:
            raise ConfigError(f"stored_side is {stored_side}; give the pixels of the shorter side, say 512")
        if decode_once and cache is None:
            raise ConfigError("decode_once is true and cache null; give the folder of the artifact cache")
        for name, value, known in (
            ("check", check, CHECKS),
            ("broken", broken, BROKEN),
            ("elongated", elongated, tuple(ELONGATED)),
        ):
            if value not in known:
                raise ConfigError(f"data.source.{name} is '{value}'{nearest(str(value), known)}")
        if labels not in (None, True, False):
            raise ConfigError(f"data.source.labels is {labels!r}; give true, false, or null for what the layout says")
        if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
            raise ConfigError(f"data.source.value_range is {list(value_range)}; give two numbers, the smaller first")
        if max_pixels < 1:
            raise ConfigError(f"data.source.max_pixels is {max_pixels}; give at least 1")
        self.folder = Path(folder).expanduser()
        self.sides = (size, clean_side, stored_side)
        self.cache = None if cache is None else ArtifactCache(cache)
        self.decode_once = decode_once
        self.test_fraction, self.seed = test_fraction, seed
        self.labels, self.check, self.broken = labels, check, broken
        given = None if value_range is None else (float(value_range[0]), float(value_range[1]))
        self.asked = Reading(given, elongated, max_pixels)

    def train(self) -> ImageSet:
        """The images of ``train``, or those not held out.

        Raises
        ------
        ConfigError
            The folder is missing, holds no image, or may mean several things.
        InvalidProblem
            Files are broken: names all.
        """
        return self._parts[0]

    def test(self) -> ImageSet:
        """The images of ``test`` or ``val``, or those held out; raises as :meth:`train` does."""
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[ImageSet, ImageSet]:
        found = survey(laid_out(self.folder, self.labels), self.asked, self.check == "decode", self.cache)
        if self.broken == "stop":
            found.stop_at_broken()
        reading = self.asked
        if reading.value_range is None:
            reading = Reading(found.value_range(), reading.elongated, reading.max_pixels)
        whole = self._set(found.layout.train, found, reading)
        if found.layout.test is not None:
            parts = whole, self._set(found.layout.test, found, reading)
        else:
            parts = split(whole, self.test_fraction, self.seed)
        if place()[1] == 0:
            _log.info("%s", "\n  ".join(found.lines(reading)))
            for reason in found.broken.values():
                _log.warning("left out: %s", reason)
        return parts

    def _set(self, part: Part, found: Survey, reading: Reading) -> ImageSet:
        broken = found.broken
        by_class = {name: [path for path in paths if path not in broken] for name, paths in part.classes.items()}
        for name, paths in by_class.items():
            if not paths:
                raise ConfigError(
                    f"{printable(str(part.folder / name))} holds broken images only; replace or remove them"
                )
        paths = [path for paths in by_class.values() for path in paths]
        labels = [label for label, paths in enumerate(by_class.values()) for _ in paths]
        if self.decode_once:
            assert self.cache is not None
            images: FolderImages = DecodedImages(paths, *self.sides, self.cache, reading)
        else:
            images = FolderImages(paths, *self.sides, reading)
        classes = tuple(by_class) if part.labelled else ()
        return ImageSet(images, torch.tensor(labels) if classes else None, classes, printable(str(self.folder.name)))
