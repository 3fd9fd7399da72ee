"""Random views of a batch against kornia and against Pillow image by image (docs/papers/ssl.md#13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from benchmarks.view_schemes import INSTALL, MEAN, STD, kornia_views, pillow_views
from data.images.views.view import View
from data.images.views.view_set import ViewSet

REPEATS = {"toy": 1, "small": 9, "paper": 5}
EVALUATIONS = {"toy": 1, "small": 5, "paper": 1}
"""Of one contender in a round."""
SHAPES = {"toy": [(8, 12, 12)], "small": [(256, 32, 32)], "paper": [(256, 32, 32), (32, 320, 224)]}
"""Images in a batch, their height and width, and those of the views."""
OURS, PEER, PILLOW = "ours", "kornia", "Pillow, image by image"
LIMIT = 0.45
COLOURS: dict[str, Any] = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
KINDS = {
    "crop and flip": View(),
    "crop, flip, jitter, greyscale": View(**COLOURS, gray=0.2),
    "the same, blur, solarise": View(**COLOURS, gray=0.2, blur=0.5, solarize=0.2),
}


def cases(size: str) -> Iterator[Case]:
    """One case per kind of view and shape; without kornia Pillow is the baseline."""
    torch.set_num_threads(1)
    for count, stored, pixels in SHAPES[size]:
        images = torch.randint(256, (count, 3, stored, stored), dtype=torch.uint8)
        for name, view in KINDS.items():
            yield view_case(
                f"{name}: {count} images, {stored} to {pixels} pixels", view, images, pixels, EVALUATIONS[size]
            )


def view_case(title: str, view: View, images: Tensor, pixels: int, evaluations: int) -> Case:
    """The same view in up to three ways."""
    ways = {PILLOW: pillow_views(view, pixels), OURS: ours(view, pixels)}
    library = kornia_views(view, pixels)
    if library is None:
        print(f"kornia is not installed, so Pillow alone is compared with. To compare with kornia: {INSTALL}")
    else:
        ways = {PEER: library} | ways
    whole = library is not None and view.gray > 0  # the promise is about whole views
    targets = [Target(OURS, "views", unit, LIMIT) for unit in (WALL, CPU)] if whole else []
    runs = {name: _timed(way, images, evaluations) for name, way in ways.items()}
    return Case(title, runs, next(iter(ways)), targets)


def ours(view: View, pixels: int) -> Callable[[Tensor], Tensor]:
    """Normalised views as a training step gets them, random numbers included."""
    views = ViewSet(only=view)
    return lambda images: views(images, torch.arange(len(images)), 0, 0, pixels, MEAN, STD)[0]


def _timed(way: Callable[[Tensor], Tensor], images: Tensor, evaluations: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during("views", share=1 / evaluations):
            for _ in range(evaluations):
                way(images)

    return run
