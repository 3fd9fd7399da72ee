"""The set of protocols that a checkpoint is judged by."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import final

import torch
from torch import nn

from data.images.module import SPLITS, ImageData
from runs.errors import ConfigError
from runs.record.left_out import draw, kept_apart
from tasks.images.pictures.picture import Picture
from tasks.images.protocols.extraction import Extraction
from tasks.images.protocols.features import FeatureParts, evaluating
from tasks.images.protocols.images import ImageParts
from tasks.images.protocols.protocol import Protocol, Sizes, checked_within
from tasks.images.protocols.ranks import Ranks

_log = logging.getLogger(__name__)


@final
class Suite:
    """Protocols and pictures, all on the same features.

    Without labels the label-free protocols run alone, and what was left out is named in the log.

    Parameters
    ----------
    protocols, pictures
        By name; None leaves one out.
    extraction
        How features are made and kept.

    Raises
    ------
    ConfigError
        Two protocols would report the same metric.
    """

    def __init__(
        self,
        protocols: Mapping[str, Protocol | None] | None,
        pictures: Mapping[str, Picture | None] | None,
        extraction: Extraction,
    ) -> None:
        self.protocols = {name: each for name, each in (protocols or {}).items() if each is not None}
        self.pictures = {name: each for name, each in (pictures or {}).items() if each is not None}
        self.extraction = extraction

    def check(self, model: nn.Module, data: ImageData, where: str = "task.protocols") -> None:
        """Refuse what does not fit the data, before anything is trained on them.

        Parameters
        ----------
        model, data
            As for :meth:`evaluate`.
        where
            The setting that these protocols are.

        Raises
        ------
        ConfigError
            A setting does not fit the data, a part has no images, or no protocol is left without labels: names the setting.
        """
        if not self.protocols and not self.pictures:
            return
        train, validation, test = (data.clean(split) for split in SPLITS)
        labels = train.labels
        width = getattr(getattr(model, "encoder", model), "width", None)
        sizes = Sizes(
            len(train), len(validation), len(test), () if labels is None else torch.bincount(labels).tolist(), width
        )
        for name, protocol in self._possible(labels is not None).items():
            checked_within(f"{where}.protocols.{name}", protocol, sizes)

    def evaluate(
        self, model: nn.Module, data: ImageData, device: torch.device, folder: Path, part: str = ""
    ) -> dict[str, float]:
        """All metrics by name, on every process; figures go to ``figures`` of the run's ``folder``, or a ``part`` of it.

        A protocol or a figure that fails is left out, and the run's folder names it; the others are kept.

        All processes extract features together, then the first one evaluates. Test and inference modes of a trainer around
        the call, and its autocast, are lifted: protocols train probes, in float32, and a model of
        another precision is judged as its copy in this one.

        Parameters
        ----------
        model
            A recipe, whose ``encoder`` and, if it has one, ``projector`` are judged; or an encoder itself. On ``device``.
        data
            Images of three parts.

        Raises
        ------
        ConfigError
            A feature is not finite, two protocols report the same, none is left without labels, or the first error where all
            protocols failed.
        """
        if not self.protocols and not self.pictures:
            return {}
        if any(weight.dtype != torch.float32 for weight in model.parameters()):
            model = copy.deepcopy(model).float()
        ranks = Ranks()
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False), evaluating(model):
            parts = self.extraction.parts(image_parts(model, data, device, self.extraction.batch_size), data, ranks)
            return ranks.from_first(lambda: self._judged(parts, folder, part))

    def _judged(self, parts: FeatureParts | None, folder: Path, part: str) -> dict[str, float]:
        assert parts is not None
        metrics: dict[str, float] = {}
        errors: list[Exception] = []
        possible = self._possible(parts.train.labels is not None)
        if left_out := ", ".join(name for name in self.protocols if name not in possible):
            _log.warning("the images have no labels, so these protocols are left out: %s", left_out)
        for name, protocol in possible.items():
            found: dict[str, float] = {}
            with kept_apart(folder, f"protocol {name}"):
                try:
                    found = protocol.evaluate(parts)
                except Exception as error:
                    errors.append(error)
                    raise
            if twice := sorted(found.keys() & metrics.keys()):
                raise ConfigError(f"protocols.{name} reports '{twice[0]}', and so does another; give it another name")
            metrics |= found
        if errors and not metrics:
            raise errors[0]
        for name, picture in self.pictures.items():
            draw(folder, f"{part}/{name}".lstrip("/"), partial(picture.draw, parts, metrics))
        return metrics

    def _possible(self, labelled: bool) -> dict[str, Protocol]:
        if labelled:
            return self.protocols
        possible = {name: protocol for name, protocol in self.protocols.items() if not protocol.supervised}
        if self.protocols and not possible:
            raise ConfigError(
                f"protocols {', '.join(self.protocols)} need labels and the images have none; sort the images into a folder "
                "per class, or choose task/protocols=label_free"
            )
        return possible


def image_parts(model: nn.Module, data: ImageData, device: torch.device, batch_size: int) -> ImageParts:
    """What is judged of a recipe, or of a mere encoder, with the images."""
    encoder, projector = getattr(model, "encoder", None), getattr(model, "projector", None)
    recipe = model if isinstance(encoder, nn.Module) else None
    return ImageParts(
        encoder if isinstance(encoder, nn.Module) else model,
        data.clean("train"),
        data.clean("validation"),
        data.clean("test"),
        data.size,
        data.mean,
        data.std,
        device,
        projector if recipe is not None and isinstance(projector, nn.Module) else None,
        recipe,
        getattr(data, "views", None),
        batch_size,
    )
