"""Features of a checkpoint, extracted once by all processes and kept in the artifact cache."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch

from data.images.module import SPLITS, ImageData
from runs.store.cache import ArtifactCache, Collection, npz_arrays, npz_bytes
from tasks.images.protocols.features import FeatureParts, Features, batch_features, joined
from tasks.images.protocols.identity import network_digest
from tasks.images.protocols.images import ImageParts
from tasks.images.protocols.ranks import Ranks


class Extraction:
    """Features of the clean images of the three parts.

    They are kept under the hash of the networks, of the images and of their normalisation: the same checkpoint is never
    run over the same images twice. Processes take batches in turn, and each reads the others' batches without using them.

    Parameters
    ----------
    cache
        Folder of the artifact cache; None keeps nothing.
    batch_size
        Images at a time.
    half
        Keep float16: half the space, three decimal digits.
    """

    def __init__(self, cache: str | Path | None, batch_size: int = 256, half: bool = False) -> None:
        self.cache = None if cache is None else ArtifactCache(cache)
        self.batch_size, self.half = batch_size, half

    def parts(self, images: ImageParts, data: ImageData, ranks: Ranks) -> FeatureParts | None:
        """Features of all parts, for the first process; None for the others, which only help."""
        found = {split: self._features(split, images, data, ranks) for split in SPLITS}
        if ranks.rank:
            return None
        train, validation, test = (found[split] for split in SPLITS)
        assert train is not None and validation is not None and test is not None
        return FeatureParts(train, validation, test, len(data.classes), images, images.device)

    def _features(self, split: str, images: ImageParts, data: ImageData, ranks: Ranks) -> Features | None:
        item = self._item(split, images, data) if ranks.rank == 0 else None
        kept = None if item is None else item.get()
        if ranks.from_first(lambda: kept is not None):
            return kept
        loader = itertools.islice(data.clean_loader(split, self.batch_size), ranks.rank, None, ranks.count)
        mine = batch_features(images.encoder, loader, images.device, images.projector, self.half)
        everyone = ranks.gathered(mine)
        if everyone is None:
            return None
        rounds = itertools.zip_longest(*everyone)
        made = joined([batch for batches in rounds for batch in batches if batch is not None])
        if item is not None:
            item.put(made)
        return made

    def _item(self, split: str, images: ImageParts, data: ImageData) -> _Item | None:
        if self.cache is None:
            return None
        about = {
            "encoder": network_digest(images.encoder),
            "projector": None if images.projector is None else network_digest(images.projector),
            "images": data.clean(split).identity,
            "size": data.size,
            "mean": list(data.mean),
            "std": list(data.std),
            "half": self.half,
        }
        return _Item(self.cache.collection("features", about), self.half)


class _Item:
    """One part's features in the cache."""

    NAME = "features"

    def __init__(self, collection: Collection, half: bool) -> None:
        self.collection, self.half = collection, half

    def get(self) -> Features | None:
        """What is kept; None if nothing is, or it is damaged."""
        payload = self.collection.get(self.NAME)
        if payload is None:
            return None
        arrays = {name: torch.from_numpy(array) for name, array in npz_arrays(payload).items()}
        z = arrays.get("z")
        return Features(arrays["h"].float(), arrays.get("labels"), None if z is None else z.float())

    def put(self, features: Features) -> None:
        """Keep them, unless another process has done so by now."""
        kind = np.float16 if self.half else np.float32
        arrays = {"h": features.h.numpy().astype(kind)}
        if features.labels is not None:
            arrays["labels"] = features.labels.numpy()
        if features.z is not None:
            arrays["z"] = features.z.numpy().astype(kind)
        self.collection.get_or_make(self.NAME, lambda: npz_bytes(arrays))
