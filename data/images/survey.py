"""A look at every file of a folder of images before anything is trained: what they are, and which are broken."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import PIL

from data.images.layout import Layout, Part
from data.images.pixels import DEEP, Header, Reading, extremes, header, rgb
from runs.errors import ConfigError, InvalidProblem
from runs.store.cache import ArtifactCache
from runs.text import printable

_log = logging.getLogger(__name__)
Value = TypeVar("Value")
LARGEST_WHOLE = 65535
"""Largest whole number that needs no setting."""
SAMPLE = 64
"""Images of whole numbers whose values are looked at; of floating point numbers all are."""
DARK = 1 / 8
"""Values that reach no farther than this share of the format's range are worth a word."""
MANY = 20_000
"""Files of which it is said that they are looked at now."""
SHOWN = 100
"""Broken files that a message names."""


class Looked(NamedTuple):
    """What is known of a file: its header, and its least and largest value where they were looked at; or what is wrong."""

    header: Header | None
    values: tuple[float, float] | None = None
    broken: str = ""


@dataclass(frozen=True)
class Survey:
    """The files of a layout, and what was found of each.

    Parameters
    ----------
    layout
        Where they lie.
    looked
        By path, in order.
    """

    layout: Layout
    looked: dict[Path, Looked]

    @property
    def broken(self) -> dict[Path, str]:
        """Why, by path."""
        return {path: each.broken for path, each in self.looked.items() if each.broken}

    def stop_at_broken(self) -> None:
        """Refuse broken files, all at once.

        Raises
        ------
        InvalidProblem
            There is one: names all, or the first hundred.
        """
        if not (broken := self.broken):
            return
        named = "; ".join(list(broken.values())[:SHOWN])
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise InvalidProblem(
            f"{len(broken)} of {len(self.looked)} images cannot be used: {named}{more}. Replace or remove them; "
            "data.source.broken=skip leaves them out"
        )

    def value_range(self) -> tuple[float, float] | None:
        """Values of images of more than 8 bits that become black and white; None for those of the format.

        Raises
        ------
        ConfigError
            They cannot be told.
        """
        floats, whole = self._values(lambda mode: mode == "F"), self._values(lambda mode: mode in DEEP and mode != "F")
        if whole and (whole[0] < 0 or whole[1] > LARGEST_WHOLE):
            raise _unknown_range("whole numbers", whole)
        if not floats or 0 <= floats[0] <= floats[1] <= 1:
            return None
        if floats[0] < 0 or floats[1] > 255 or whole:
            raise _unknown_range("floating point numbers", floats)
        return 0.0, 255.0

    def _values(self, chosen: Callable[[str], bool]) -> tuple[float, float] | None:
        values = [
            each.values for each in self.looked.values() if each.values and each.header and chosen(each.header.mode)
        ]
        return (min(low for low, _ in values), max(high for _, high in values)) if values else None

    def lines(self, reading: Reading) -> Iterator[str]:
        """What was found and what is done with it, for the reader."""
        yield f"images of {printable(str(self.layout.folder))}"
        for use, part in (("to train on", self.layout.train), ("to test on", self.layout.test)):
            if part is not None:
                yield f"{use}: {_described(part)}"
        if self.layout.test is None:
            yield "to test on: a part of these is held out (data.source.test_fraction)"
        headers = [each.header for each in self.looked.values() if each.header is not None]
        small, large = (pick(headers, key=lambda each: each.width * each.height) for pick in (min, max))
        yield f"size: {small.width} x {small.height} to {large.width} x {large.height} pixels"
        modes = Counter(each.mode for each in headers)
        yield f"pixels: {', '.join(f'{mode} {count}' for mode, count in modes.most_common())}"
        for count, what in (
            (sum(each.transparent for each in headers), "have transparency, and are laid on white"),
            (sum(each.turned for each in headers), "are turned upright, as their EXIF orientation says"),
            (sum(each.pictures > 1 for each in headers), "hold several pictures, of which the first is used"),
            (sum(each.elongated for each in headers), ELONGATED[reading.elongated]),
            (modes["CMYK"], "are CMYK, and become RGB without a colour profile"),
            (len(self.broken), "are broken and left out (data.source.broken=skip)"),
        ):
            if count:
                yield f"{count} {what}"
        yield from self._scaled(reading, modes)
        if left_out := [f"{count} {reason}" for reason, count in sorted(self.layout.left_out.items()) if count]:
            yield f"left out: {', '.join(left_out)}"

    def _scaled(self, reading: Reading, modes: Counter[str]) -> Iterator[str]:
        for count, floating in ((modes["F"], True), (sum(modes[mode] for mode in DEEP - {"F"}), False)):
            if not count:
                continue
            low, high = reading.value_range or ((0, 1) if floating else (0, LARGEST_WHOLE))
            yield f"{count} have more than 8 bits: {low:g} becomes black and {high:g} white (data.source.value_range)"
            found = self._values(lambda mode, floating=floating: mode in DEEP and (mode == "F") == floating)  # type: ignore[misc]
            if found and found[1] <= low + DARK * (high - low):
                brighter = f"data.source.value_range=[{low:g},{found[1]:g}]"
                yield f"their values reach {found[1]:g} only, so they come out dark; {brighter} brightens them"


ELONGATED = {
    "cut": "are longer than 2:1; both ends are cut off (data.source.elongated=pad keeps them)",
    "pad": "are longer than 2:1, and are put whole on a grey square",
}


def survey(layout: Layout, reading: Reading, decode: bool, cache: ArtifactCache | None) -> Survey:
    """Look at the files of a layout, once: what was found is kept as long as no file changes.

    Parameters
    ----------
    decode
        Whether every file is decoded; else its header is read and its end looked at, ten thousand files in some seconds.
    cache
        Where it is kept; None looks each time.

    Raises
    ------
    ConfigError
        A file vanished meanwhile.
    """
    paths = [*layout.train.paths, *(layout.test.paths if layout.test is not None else [])]

    def make() -> bytes:
        return json.dumps(_looked(paths, reading.max_pixels, decode)).encode()

    if cache is None:
        payload = make()
    else:
        about = {"pillow": PIL.__version__, "max_pixels": reading.max_pixels, "decode": decode}
        payload = cache.collection("image_surveys", about).get_or_make(_state(paths), make)
    rows = [Looked(row[0] and Header(*row[0]), row[1] and tuple(row[1]), row[2]) for row in json.loads(payload)]
    return Survey(layout, dict(zip(paths, rows, strict=True)))


def _looked(paths: Sequence[Path], max_pixels: int, decode: bool) -> list[Looked]:
    if len(paths) > MANY:
        _log.info("looking at %d images, once", len(paths))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, of damaged entries that change no pixel
        looked = _in_threads(lambda path: _header(path, max_pixels, decode), paths)
        deep = [i for i, each in enumerate(looked) if each.header is not None and each.header.mode in DEEP]
        whole = [i for i in deep if looked[i].header.mode != "F"]  # type: ignore[union-attr]
        sampled = {*whole[:: max(1, len(whole) // SAMPLE)], *(set(deep) - set(whole))}
        found = _in_threads(lambda i: _with_values(looked[i], paths[i], max_pixels), sorted(sampled))
        for i, each in zip(sorted(sampled), found, strict=True):
            looked[i] = each
    return looked


def _header(path: Path, max_pixels: int, decode: bool) -> Looked:
    try:
        found = header(path, max_pixels)
        if decode:
            rgb(path, Reading(max_pixels=max_pixels))
        return Looked(found)
    except InvalidProblem as error:
        return Looked(None, broken=str(error))


def _with_values(looked: Looked, path: Path, max_pixels: int) -> Looked:
    try:
        values = extremes(path, max_pixels)
        if values is None:
            return Looked(None, broken=f"{printable(str(path))} holds no number")
        return looked._replace(values=values)
    except InvalidProblem as error:
        return Looked(None, broken=str(error))


def _in_threads(function: Callable[..., Looked], values: Sequence[Value]) -> list[Looked]:
    pool = ThreadPoolExecutor(min(16, 2 + (os.cpu_count() or 1)))
    try:
        return list(pool.map(function, values))
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt does not wait for the other files


def _state(paths: Sequence[Path]) -> str:
    """Hash of names, sizes and times of change."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            state = path.stat()
        except OSError as error:
            raise ConfigError(
                f"{printable(str(path))} cannot be read: {error.strerror or error}; start again"
            ) from error
        digest.update(repr((str(path), state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]


def _described(part: Part) -> str:
    sizes = {name: len(paths) for name, paths in part.classes.items()}
    total = f"{sum(sizes.values())} images ({printable(str(part.folder.name))})"
    if not part.labelled:
        return f"{total}, without labels"
    named = ", ".join(f"{name} {count}" for name, count in list(sizes.items())[:12])
    return f"{total} of {len(sizes)} classes: {named}" + (", ..." if len(sizes) > 12 else "")


def _unknown_range(kind: str, values: tuple[float, float]) -> ConfigError:
    low, high = values
    return ConfigError(
        f"images of {kind} have values from {low:g} to {high:g}, and no range is known to hold them; set which become black "
        f"and white: data.source.value_range=[{low:g},{high:g}]"
    )
