"""Images as a LightningDataModule: random views to train on, clean images to evaluate on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from data.full_batches import full_batches
from data.images.batches import CleanBatches, Stored, TrainingBatches
from data.images.source import ImageSet, ImageSource
from data.images.subset import labels_of, split
from data.images.support import Support
from data.images.views.view_set import Views, ViewSet
from data.loading import place, whole_batches
from runs.errors import ConfigError, at_least, nearest

SPLITS = ("train", "validation", "test")


class ImageData(pl.LightningDataModule):
    """Views of the images of a source, drawn on the device that trains.

    What a sample looks like depends on seed, epoch, its index and the view's number, so that one process and several, and a
    resumed and an undisturbed training, see the same.

    Parameters
    ----------
    name
        Of the data in reports.
    source
        Where the images come from.
    views
        What a training step sees of them.
    size
        Height and width of a view of full size and of a clean image.
    mean, std
        Of the colours on [0, 1], by channel.
    batch_size
        Images per training step, over all ranks; the last, incomplete batch of an epoch is dropped.
    seed
        Of the order and of the views.
    validation_fraction
        Part of the training images of each class that is held out for choices.
    split_seed
        Of what is held out; not the run's, so that seeds are compared on the same images.
    workers
        Processes that read images; of use where files are decoded.
    support
        Labelled images beside each batch, for recipes that use them; None for none.
    probes
        Source of the images that probes are fitted and chosen on, split as those of ``source``; None for the same images. Of
        use where encoders that saw different images are compared, and the probes shall not make the difference. What is held
        out for choices may be among the images that are trained on; the test images never are.

    Attributes
    ----------
    classes
        Names of the classes, known after :meth:`setup`; empty where there are no labels.
    channels
        3.

    Raises
    ------
    ConfigError
        A number is out of range: names it.
    """

    name: str  # Lightning's own attribute, here never None
    channels = 3

    def __init__(
        self,
        name: str,
        source: ImageSource,
        views: ViewSet,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        seed: int,
        validation_fraction: float = 0.1,
        split_seed: int = 0,
        workers: int = 0,
        support: Support | None = None,
        probes: ImageSource | None = None,
    ) -> None:
        super().__init__()
        at_least("data.", size=(size, 1), batch_size=(batch_size, 2), workers=(workers, 0))
        for setting, values in (("mean", mean), ("std", std)):
            if len(values) != self.channels or (setting == "std" and min(values) <= 0):
                raise ConfigError(f"data.{setting} is {list(values)}; give three numbers, those of std positive")
        if not 0 <= validation_fraction < 1:
            raise ConfigError(f"data.validation_fraction is {validation_fraction}; give a number from 0, and below 1")
        self.name, self.source, self.views, self.size = name, source, views, size
        self.mean, self.std = tuple(mean), tuple(std)
        self.batch_size, self.seed, self.workers = batch_size, seed, workers
        self.validation_fraction, self.split_seed = validation_fraction, split_seed
        self.support, self.probes = support, probes

    def setup(self, stage: str | None = None) -> None:
        """Read the images, once.

        Raises
        ------
        ConfigError, InvalidProblem
            Images are missing or damaged.
        """
        if hasattr(self, "sets"):
            return
        self.trained_on, validation = self._split(self.source)
        train = self.trained_on
        if self.probes is not None:
            train, validation = self._split(self.probes)
        test = self.source.test()
        test.validate()
        if train.classes != self.trained_on.classes:
            raise ConfigError(
                f"data.probes has the classes {list(train.classes)}, and data.source {list(self.trained_on.classes)}"
            )
        self.sets = {"train": train, "validation": validation, "test": test}
        self.classes = train.classes

    def _split(self, source: ImageSource) -> tuple[ImageSet, ImageSet]:
        images = source.train()
        images.validate()
        return split(images, self.validation_fraction, self.split_seed)

    def train_dataloader(self) -> DataLoader[Stored]:
        """Shuffled batches of :class:`Stored`, of equal size on all ranks.

        Raises
        ------
        ConfigError
            The ranks cannot share a batch equally, or the images do not fill one.
        """
        return full_batches(TrainingBatches(self.trained_on), self.batch_size, self.seed, self.workers)

    def test_dataloader(self) -> list[int]:
        """One step: what is evaluated, the task takes from :meth:`clean_loader`."""
        return [0]

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Draw the views of a training batch where it now lies; leave anything else alone."""
        if not isinstance(batch, Stored):
            return batch
        assert self.trainer is not None
        return self.draw(batch, self.trainer.current_epoch, self.trainer.global_step)

    def draw(self, batch: Stored, epoch: int, step: int = 0) -> Views:
        """The views of a batch in an epoch, and of what the step sees beside it.

        Raises
        ------
        ConfigError
            Labelled images are wanted, and there are none, or too few.
        """
        views = self._views(self.views, batch, epoch)
        support = None if self.support is None else self._beside(self.support, step, batch.images.device)
        return Views(views, batch.labels, batch.indices, self.views.global_views, support)

    def _views(self, views: ViewSet, batch: Stored, epoch: int) -> tuple[Tensor, ...]:
        return views(batch.images, batch.indices, self.seed, epoch, self.size, self.mean, self.std, sizes=batch.sizes)

    @cached_property
    def _labelled(self) -> list[Tensor]:
        assert self.support is not None
        return self.support.labelled(labels_of(self.trained_on, "data.support"))

    def _beside(self, support: Support, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """A view of the first kind of each image of the support, another one in every step."""
        chosen = support.draw(self._labelled, self.seed, step, *place())
        batch = TrainingBatches(self.trained_on).__getitems__(chosen.tolist())
        batch = Stored(*(None if part is None else part.to(device) for part in batch))  # type: ignore[arg-type]
        assert batch.labels is not None
        return self._views(ViewSet(first=self.views.views[0]), batch, step)[0], batch.labels

    def clean(self, split: str) -> ImageSet:
        """The images of a split as they are: ``train`` (what probes are fitted on), ``validation`` or ``test``.

        Raises
        ------
        ConfigError
            There is no such split, or nothing was held out for validation.
        """
        if split not in SPLITS:
            raise ConfigError(f"split '{split}' is unknown{nearest(split, SPLITS)}")
        self.setup()
        if not len(self.sets[split]):
            raise ConfigError("data.validation_fraction is 0, and validation images are wanted; give a part, say 0.1")
        return self.sets[split]

    def clean_loader(self, split: str, batch_size: int) -> DataLoader[tuple[Tensor, Tensor | None, Tensor]]:
        """Normalised images (batch, 3, height, width), labels or None and indices (batch,), in order, all on every rank."""
        images = CleanBatches(self.clean(split), self.mean, self.std)
        return whole_batches(images, batch_size, self.workers)
