"""Batches of a folder of JPEG files: decoded in every step, or once and mapped into memory (docs/papers/ssl.md#4.1)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image

from benchmarks.harness import Case
from benchmarks.measure import Probe
from data.images.decoded import DecodedImages
from data.images.files import FolderImages
from runs.store.cache import ArtifactCache

REPEATS = {"toy": 1, "small": 7, "paper": 7}
SHAPES = {"toy": (16, 8, 40, 32), "small": (1024, 256, 240, 160), "paper": (2048, 256, 500, 256)}
"""Files, images in a batch, shorter side of a file, and that of a stored image."""
EACH_TIME, ONCE = "decoded in every step", "decoded once, mapped"


def cases(size: str) -> Iterator[Case]:
    """One batch of files drawn at random; the cache is warm, as from the second epoch on."""
    torch.set_num_threads(1)
    count, batch, side, stored = SHAPES[size]
    with tempfile.TemporaryDirectory() as place:
        paths = _written(Path(place), count, side)
        once = DecodedImages(paths, stored, stored, stored, ArtifactCache(Path(place) / "cache"))
        once.padded(range(count))
        rows = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:batch].tolist()
        ways = {EACH_TIME: FolderImages(paths, stored, stored, stored), ONCE: once}
        title = f"{batch} of {count} JPEG files, shorter side {side}, stored with {stored}"
        yield Case(title, {name: _timed(images, rows) for name, images in ways.items()}, EACH_TIME)


def _written(folder: Path, count: int, side: int) -> list[Path]:
    """Smooth pictures with some noise, which JPEG makes about as large as photographs."""
    generator = torch.Generator().manual_seed(0)
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for path in paths:
        coarse = torch.rand(1, 3, 6, 8, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (side, side * 4 // 3), mode="bicubic")[0]
        noisy = 255 * (smooth + 0.05 * torch.randn(smooth.shape, generator=generator))
        Image.fromarray(noisy.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()).save(path, quality=90)
    return paths


def _timed(images: FolderImages, rows: list[int]) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during("batch"):
            images.padded(rows)

    return run
