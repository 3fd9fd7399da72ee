"""Generated images and encoders so small that a protocol runs in a fraction of a second."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from data.images.fake import Fake
from data.images.module import ImageData
from data.images.source import ImageSet, ImageSource
from data.images.views.view import View
from data.images.views.view_set import ViewSet
from models.encoders.vit import VisionTransformer
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.images import ImageParts
from tasks.images.protocols.suite import image_parts

HOST = torch.device("cpu")


class Unlabelled(ImageSource):
    """Another source without its labels."""

    def __init__(self, source: ImageSource) -> None:
        self.source = source

    def train(self) -> ImageSet:
        return replace(self.source.train(), labels=None, classes=())

    def test(self) -> ImageSet:
        return replace(self.source.test(), labels=None, classes=())


def tiny_data(labelled: bool = True, train_per_class: int = 12, seed: int = 0) -> ImageData:
    """Three classes of 12 pixels, a quarter of the training images for validation."""
    source: ImageSource = Fake(12, 3, train_per_class, 5, seed)
    data = ImageData(
        "fake",
        source if labelled else Unlabelled(source),
        ViewSet(weak=View(crop_scale=(0.5, 1.0), count=2)),
        size=12,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        batch_size=4,
        seed=0,
        validation_fraction=0.25,
    )
    data.setup()
    return data


class TinyNet(nn.Module):
    """A convolution, a batch norm and a mean: h of 16."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU())
        self.width = 16
        self._calls = 0

    @property
    def calls(self) -> int:
        """Batches that were seen."""
        return self._calls

    def forward(self, images: Tensor) -> Tensor:
        self._calls += 1
        return self.body(images).mean((2, 3))


class TinyRecipe(nn.Module):
    """An encoder with a projector, as recipes have them."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.encoder = TinyNet(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.projector = nn.Linear(16, 6)


def tiny_vit() -> VisionTransformer:
    """Nine patches, two blocks, two heads."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VisionTransformer(12, 4, 16, layers=2, heads=2)


def tiny_images(model: nn.Module, data: ImageData | None = None) -> ImageParts:
    return image_parts(model.eval(), data or tiny_data(), HOST, batch_size=8)


def tiny_parts(model: nn.Module, data: ImageData | None = None) -> FeatureParts:
    from tasks.images.protocols.extraction import Extraction
    from tasks.images.protocols.ranks import Ranks

    data = data or tiny_data()
    parts = Extraction(None, batch_size=8).parts(tiny_images(model, data), data, Ranks())
    assert parts is not None
    return parts
