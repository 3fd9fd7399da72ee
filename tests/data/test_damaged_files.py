"""Mutated images, texts and tables: each is read whole or refused by an error of ours, never by another."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.images.pixels import Reading, header, rgb
from data.tabular import csv_file
from data.text.contiguous import ContiguousText
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs, to_pillow

FEW, MANY = 30, 900
READING = Reading(max_pixels=1 << 18)
TABLE = "size;colour;kind\n" + "".join(f"{i},5;{'rgb'[i % 3]};{i % 2}\n" for i in range(24))
TEXT = "The cat, the dög and 猫.\n" * 12


def encoded(mode: str, suffix: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image = to_pillow(photographs(1, 20, 24)[0])
    if mode in ("F", "I;16"):
        values = np.asarray(image.convert("L")).astype(np.float32) / 255
        image = Image.fromarray(values if mode == "F" else (values * 65535).astype(np.uint16))
    exif = Image.Exif()
    exif[274] = 6
    image.convert(mode).save(stream, suffix, **({"exif": exif} if suffix in ("JPEG", "PNG", "WEBP") else {}), **options)
    return stream.getvalue()


IMAGES = {
    "jpg": encoded("RGB", "JPEG", progressive=True),
    "jpeg": encoded("CMYK", "JPEG"),
    "png": encoded("RGBA", "PNG"),
    "bmp": encoded("P", "BMP"),
    "webp": encoded("RGBA", "WEBP"),
    "ppm": encoded("RGB", "PPM"),
    "tif": encoded("F", "TIFF"),
    "tiff": encoded("RGB", "TIFF", compression="tiff_lzw"),
}


def mutants(content: bytes, count: int, seed: int, others: list[bytes]) -> Iterator[bytes]:
    """Cut off, flipped, cut out, doubled, filled, spliced with another file."""
    draw = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 8])):
            start = draw.randrange(len(mutant) + 1) if mutant else 0
            if draw.random() < 0.4:
                start = min(start, draw.randrange(64))  # where formats have their headers
            length = draw.choice([1, 2, 4, 64])
            kind = draw.randrange(6)
            if kind == 0:
                del mutant[start:]
            elif kind == 1:
                mutant[start : start + length] = bytes(draw.randrange(256) for _ in range(length))
            elif kind == 2:
                del mutant[start : start + length]
            elif kind == 3:
                mutant[start:start] = mutant[start : start + length]
            elif kind == 4:
                mutant[start : start + length] = bytes([draw.choice([0, 255, 127])]) * length
            else:
                other = draw.choice(others)
                mutant[start:] = other[draw.randrange(len(other)) :]
        yield bytes(mutant)


def outcomes(path: Path, contents: Iterator[bytes], read: Callable[[Path], None]) -> dict[bool, int]:
    """How many files were read, and how many refused."""
    counted = {True: 0, False: 0}
    for number, content in enumerate(contents):
        path.write_bytes(content)
        try:
            read(path)
            counted[True] += 1
        except (ConfigError, InvalidProblem) as error:
            assert str(error), number
            counted[False] += 1
    return counted


def read_image(path: Path) -> None:
    about = None
    try:
        about = header(path, READING.max_pixels)
    finally:
        pixels = np.asarray(rgb(path, READING))  # whatever the header says
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        assert about is None or {*pixels.shape[:2]} == {about.width, about.height}


def read_text(path: Path) -> None:
    for tokens in ("words", "characters"):
        text = ContiguousText("own", 100, path=str(path), batch_size=1, context=2, tokens=tokens)
        text.setup()
        assert int(text.train_windows.columns.max()) < len(text.vocabulary)


def read_table(path: Path) -> None:
    table = csv_file.read(str(path), "kind")
    assert (csv_file.features(str(path), "kind"), csv_file.labels(str(path), "kind")) == (
        table.rows.shape[1],
        len(table.classes),
    )
    table.filled(torch.zeros(table.rows.shape[1])).validate()


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", IMAGES)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_mutated_image_is_read_or_refused(tmp_path: Path, suffix: str, count: int) -> None:
    contents = mutants(IMAGES[suffix], count, 1, list(IMAGES.values()))
    found = outcomes(tmp_path / f"image.{suffix}", contents, read_image)
    assert found[False] > 0 and sum(found.values()) == count


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "read", "content"), [("t.txt", read_text, TEXT), ("t.csv", read_table, TABLE)])
def test_a_mutated_text_or_table_is_read_or_refused(
    tmp_path: Path, name: str, read: Callable[[Path], None], content: str, count: int
) -> None:
    others = [IMAGES["png"], TABLE.encode(), TEXT.encode(), b"\0;,\n", "é\ud800".encode("utf-8", "surrogatepass")]
    found = outcomes(tmp_path / name, mutants(content.encode(), count, 2, others), read)
    assert found[False] > 0 and found[True] > 0


@pytest.mark.parametrize("suffix", IMAGES)
def test_an_image_is_read_whatever_its_file_is_called(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{'png' if suffix != 'png' else 'jpg'}"
    path.write_bytes(IMAGES[suffix])
    read_image(path)
