"""How a folder of images is laid out: parts to train and to test on, classes, and what is left out. Names alone decide."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from runs.errors import ConfigError
from runs.text import printable

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
"""Names of parts, whatever the case; the first that is there is tested on."""
REMAINS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""What archives and file browsers leave behind."""


@dataclass(frozen=True)
class Part:
    """Images of one part.

    Parameters
    ----------
    folder
        Where they lie.
    classes
        Image files by name of the class, in order of the names; of no class under "".
    """

    folder: Path
    classes: dict[str, list[Path]]

    @property
    def labelled(self) -> bool:
        """Whether there are classes."""
        return "" not in self.classes

    @property
    def paths(self) -> list[Path]:
        """All files, class by class."""
        return [path for paths in self.classes.values() for path in paths]


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Parameters
    ----------
    folder
        Which one.
    train
        Images to train on; all, where there is no part to test on.
    test
        Those to test on, if they have a folder of their own.
    left_out
        Numbers of files that are not used, by reason.
    """

    folder: Path
    train: Part
    test: Part | None
    left_out: Counter[str]


def laid_out(folder: Path, labels: bool | None = None) -> Layout:
    """The layout of a folder.

    Parameters
    ----------
    labels
        Whether folders are classes, whatever else lies beside them (True), or images have no labels, wherever they lie
        (False); None for what the layout says, as long as that is clear.

    Raises
    ------
    ConfigError
        The folder is missing, holds no image, or is laid out so that it may mean several things: names what, and the remedy.
    """
    if not folder.is_dir():
        raise ConfigError(f"{printable(str(folder))} is no folder; set data.source.folder to the folder of your images")
    left_out: Counter[str] = Counter()
    folders, loose = _entries(folder, Counter())
    training = [each for each in folders if each.name.lower() in TRAIN_NAMES]
    testing = sorted(
        (each for each in folders if each.name.lower() in TEST_NAMES),
        key=lambda each: TEST_NAMES.index(each.name.lower()),
    )
    if not training and not testing:
        return Layout(folder, _part(folder, labels, left_out), None, left_out)
    for kind, names, found in (("train", TRAIN_NAMES, training), ("test", TEST_NAMES, testing)):
        if not found:
            there = ", ".join(printable(str(each.name)) for each in (*training, *testing))
            raise ConfigError(
                f"{printable(str(folder))} has a folder {there} and none to {kind} on (called {', '.join(names)}); "
                "add one, or rename the folder if it is a class"
            )
    if len(training) > 1 or len({each.name.lower() for each in testing}) < len(testing):
        there = ", ".join(printable(str(each.name)) for each in (*training, *testing))
        raise ConfigError(f"{printable(str(folder))} has several folders of one part: {there}; keep one of each")
    left_out["images beside the parts"] += len(loose)
    for other in folders:
        if other not in (training[0], testing[0]):
            left_out[f"images of {printable(str(other.name))}"] += len(images_below(other, left_out))
    train, test = _part(training[0], labels, left_out), _part(testing[0], labels, left_out)
    if train.classes.keys() != test.classes.keys():
        differ = ", ".join(sorted(name or "(none)" for name in train.classes.keys() ^ test.classes.keys()))
        raise ConfigError(
            f"{printable(str(test.folder))} and {printable(str(train.folder))} differ in the classes {differ}"
        )
    return Layout(folder, train, test, left_out)


def _part(folder: Path, labels: bool | None, left_out: Counter[str]) -> Part:
    folders, loose = _entries(folder, left_out)
    if labels is False or not folders:
        images = [*loose, *(path for each in folders for path in images_below(each, left_out))]
        return Part(folder, {"": sorted(_at_least_one(images, folder, left_out))})
    by_class = {printable(str(each.name)): images_below(each, left_out) for each in folders}
    below = sum(map(len, by_class.values()))
    if loose and below and labels is None:
        there = ", ".join(f"{name} ({len(paths)})" for name, paths in list(by_class.items())[:5])
        raise ConfigError(
            f"{printable(str(folder))} holds {len(loose)} images beside folders with images: {there}; set "
            "data.source.labels=false to use all of them without labels, or data.source.labels=true to take the folders as "
            "classes and leave the others out"
        )
    if loose and not below:
        left_out["folders without images"] += len(folders)
        return Part(folder, {"": loose})
    left_out["images beside the classes"] += len(loose)
    for name, paths in by_class.items():
        _at_least_one(paths, folder / name, left_out)
    if like_parts := [name for name in by_class if name.lower() in (*TRAIN_NAMES, *TEST_NAMES)]:
        raise ConfigError(
            f"{printable(str(folder))} has classes called {', '.join(like_parts)}, which are names of parts; set "
            "data.source.folder to the folder that holds the parts, or rename the classes"
        )
    if len(by_class) == 1:
        (name,) = by_class
        raise ConfigError(
            f"{printable(str(folder))} holds one folder, {name}, so there is one class and nothing to tell apart; set "
            f"data.source.folder={printable(str(folder))}/{name} if the classes lie in it, or data.source.labels=false to "
            "use the images without labels"
        )
    return Part(folder, by_class)


def _at_least_one(images: list[Path], folder: Path, left_out: Counter[str]) -> list[Path]:
    if not images:
        others = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
        raise ConfigError(
            f"{printable(str(folder))} holds no image; images end in {', '.join(sorted(SUFFIXES))}"
            + (f"; left out so far: {others}" if others else "")
        )
    return images


def images_below(folder: Path, left_out: Counter[str]) -> list[Path]:
    """Image files in and below a folder, in order of their names; links to folders are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        about = here.stat()
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        folders, images = _entries(here, left_out)
        waiting += folders
        found += images
    return sorted(found)


def _entries(folder: Path, left_out: Counter[str]) -> tuple[list[Path], list[Path]]:
    """Folders and image files in a folder, in order of their names; what is neither is counted."""
    folders, images = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = folder / entry.name
                if entry.name.startswith(".") or entry.name.lower() in REMAINS:
                    left_out["hidden"] += 1
                elif entry.is_dir():
                    folders.append(path)
                elif path.suffix.lower() not in SUFFIXES:
                    left_out[f"of the kind {printable(str(path.suffix.lower())) or '(no ending)'}"] += 1
                elif entry.is_file():
                    images.append(path)
                else:
                    left_out["links that lead nowhere"] += 1
    except OSError as error:
        raise ConfigError(
            f"{printable(str(folder))} cannot be read: {error.strerror or error}; change its permissions, or remove it"
        ) from error
    return sorted(folders), sorted(images)
