"""What is in an image file, as 8-bit RGB: every mode has its own way there; upright is what EXIF says is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from runs.errors import InvalidProblem, RepriseError
from runs.text import one_line, printable

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM", "TIFF")
"""Those whose endings are looked for, whatever a file is called; no format that runs an interpreter (EPS) is opened."""
PLAIN = frozenset({"RGB", "L", "P", "1", "CMYK", "YCbCr", "HSV", "RGBX"})
"""Modes of 8 bits or fewer in each channel, without transparency."""
TRANSPARENT = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Modes of one channel and more than 8 bits."""
MOST_ELONGATED = 2.0
"""Longer side over shorter side; what is longer does not go into a batch as it is, or one panorama would blow it up."""
WHITE = (255, 255, 255, 255)
ORIENTATION = 274
"""Number of the EXIF entry."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image of an orientation upright."""
STRIPS_OR_TILES = ((273, 324), (279, 325))
"""Numbers of TIFF's entries of where the pixels lie, and of how many bytes each part has."""

Image.MAX_IMAGE_PIXELS = None  # the limit is Reading.max_pixels, which a message can name


@dataclass(frozen=True)
class Reading:
    """How files become pixels.

    Parameters
    ----------
    value_range
        Values of an image with more than 8 bits that become black and white; None for 0 to 65,535 of whole numbers and 0 to
        1 of floating point numbers. What is not a number becomes black.
    elongated
        What is done with an image longer than 2:1: "cut" cuts off both ends, "pad" puts the whole on a grey square.
    max_pixels
        Width times height above which a file is refused.
    """

    value_range: tuple[float, float] | None = None
    elongated: str = "cut"
    max_pixels: int = 1 << 27


class Header(NamedTuple):
    """What the first bytes of a file tell.

    Parameters
    ----------
    width, height
        In pixels, as stored.
    mode
        Pillow's name of the kind of pixels.
    transparent
        Whether it has transparency.
    turned
        Whether its EXIF orientation is another than upright.
    pictures
        How many lie in the file.
    """

    width: int
    height: int
    mode: str
    transparent: bool
    turned: bool
    pictures: int

    @property
    def elongated(self) -> bool:
        """Whether it is longer than 2:1."""
        return max(self.width, self.height) > MOST_ELONGATED * min(self.width, self.height)


@contextlib.contextmanager
def opened(path: Path, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """A file whose header is read; pixels are decoded when they are asked for.

    Raises
    ------
    InvalidProblem
        It is no whole image, or too large: names it, and the setting.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > max_pixels:
                raise InvalidProblem(
                    f"{printable(str(path))} has {file.width} x {file.height} = {file.width * file.height:,} pixels, more "
                    f"than data.source.max_pixels={max_pixels}"
                )
            yield file
    except RepriseError:
        raise
    except Exception as error:  # at a damaged file Pillow raises nearly anything
        raise InvalidProblem(f"{printable(str(path))} is no whole image ({_reason(error, path)})") from error


def header(path: Path, max_pixels: int) -> Header:
    """Of a file whose last bytes are there too; one where that cannot be told is decoded.

    Raises
    ------
    InvalidProblem
        It is no whole image, too large, or of a mode that is not read.
    """
    with opened(path, max_pixels) as file:
        if file.mode not in PLAIN | TRANSPARENT | DEEP:
            raise _unread(path, file.mode)
        found = Header(
            *file.size,
            file.mode,
            file.mode not in DEEP and file.has_transparency_data,
            _orientation(file) in UPRIGHT,
            1 if file.format == "MPO" else getattr(file, "n_frames", 1),  # an MPO's others are previews
        )
        if not _has_its_end(file, path):
            file.load()
    return found


def _has_its_end(file: ImageFile.ImageFile, path: Path) -> bool:
    """Whether the file surely goes to its end; what lies before is not looked at."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - 12, 0))
        end = stream.read()
    if file.format in ("JPEG", "MPO"):
        return end.endswith(b"\xff\xd9")
    if file.format == "PNG":
        return end == b"\0\0\0\0IEND\xaeB`\x82"
    if file.format == "TIFF":
        tags = file.tag_v2  # type: ignore[attr-defined]
        starts, lengths = (np.atleast_1d(tags.get(strips, tags.get(tiles, ()))) for strips, tiles in STRIPS_OR_TILES)
        return len(starts) == len(lengths) > 0 and bool((starts + lengths).max() <= size)
    return False


def rgb(path: Path, reading: Reading, draft: int | None = None) -> Image.Image:
    """The image in 8-bit RGB, upright, what is transparent laid on white.

    Parameters
    ----------
    draft
        Shorter side that is enough: a large JPEG is decoded at an eighth, a quarter or half then.

    Raises
    ------
    InvalidProblem
        The file is no whole image, too large, or of a mode that is not read: names it.
    """
    with opened(path, reading.max_pixels) as file:
        if draft is not None:
            file.draft("RGB", (draft, draft))
        file.load()  # turns a TIFF upright by itself
        image = _of_8_bits(file, path, reading.value_range)
        turn = UPRIGHT.get(_orientation(file))
        return image if turn is None else image.transpose(turn)


def extremes(path: Path, max_pixels: int) -> tuple[float, float] | None:
    """Least and largest number of an image; None where it has none.

    Raises
    ------
    InvalidProblem
        The file is no whole image, or too large.
    """
    with opened(path, max_pixels) as file:
        values = np.asarray(file)
    numbers = values[np.isfinite(values)]
    return (float(numbers.min()), float(numbers.max())) if numbers.size else None


def _orientation(file: ImageFile.ImageFile) -> int:
    """As EXIF has it; upright where that is damaged."""
    try:
        return int(file.getexif().get(ORIENTATION, 1))
    except Exception:  # what Pillow raises at damaged EXIF is nearly anything
        return 1


def _of_8_bits(image: Image.Image, path: Path, value_range: tuple[float, float] | None) -> Image.Image:
    if image.mode in DEEP:
        low, high = value_range or ((0.0, 1.0) if image.mode == "F" else (0.0, 65535.0))
        scaled = (np.asarray(image).astype(np.float64) - low) * (255 / (high - low))
        grey = np.nan_to_num(scaled, nan=0.0).clip(0, 255).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode not in PLAIN | TRANSPARENT:
        raise _unread(path, image.mode)
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")


def _unread(path: Path, mode: str) -> InvalidProblem:
    return InvalidProblem(f"{printable(str(path))} has pixels of the kind {mode}, which are not read")


def _reason(error: BaseException, path: Path) -> str:
    """What Pillow says, in a line and without the path, which the message has already."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "it begins like no image that is read"
    said = str(error).replace(repr(str(path)), "it").replace(str(path), "it")
    return one_line(said)[:200] or type(error).__name__
