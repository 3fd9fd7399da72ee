"""The losses of lightly 1.6.0, a library of self-supervised methods, called as ours are."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

INSTALL = "pip install --no-deps --target FOLDER lightly==1.6.0 lightly_utils, then PYTHONPATH=FOLDER"
TORCHVISION = ("torchvision", "torchvision.ops")


def lightly() -> Any:
    """The module ``lightly.loss``, or None where it is not installed.

    It imports two functions of torchvision that no loss here uses; without torchvision they are None.
    """
    if importlib.util.find_spec("lightly") is None:
        return None
    if importlib.util.find_spec("torchvision") is not None:
        return importlib.import_module("lightly.loss")
    modules = [ModuleType(name) for name in TORCHVISION]
    modules[1].__dict__.update(StochasticDepth=None, roi_align=None)
    sys.modules.update(zip(TORCHVISION, modules, strict=True))
    try:
        return importlib.import_module("lightly.loss")
    finally:
        for name in TORCHVISION:
            del sys.modules[name]


def peers(library: Any, width: int, prototypes: Tensor) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Losses of two views by the names of ours; ``width`` is D, or the number of prototypes."""
    koleo, swav, frossl, mmcr = library.KoLeoLoss(), library.SwaVLoss(), library.FroSSLLoss(), library.MMCRLoss()
    dino, msn = library.DINOLoss(width), library.MSNLoss()
    whitened = library.WMSELoss(width, w_size=2 * width, track_running_stats=False)
    sketch = importlib.import_module("lightly.loss.lejepa_loss").SIGReg()
    cosine = importlib.import_module("lightly.loss.negative_cosine_similarity").NegativeCosineSimilarity()
    return {
        "nt_xent": library.NTXentLoss(0.2),
        "vicreg": library.VICRegLoss(),
        "barlow_twins": library.BarlowTwinsLoss(),
        "dcl": library.DCLLoss(0.1),
        "negative_cosine": cosine,
        "koleo": lambda a, b: koleo(a) + koleo(b),
        "tico": lambda a, b: library.TiCoLoss()(a, b),
        "mmcr": lambda a, b: mmcr(a[:, None], b[:, None]),
        "swav": lambda a, b: swav([a, b], []),
        "dino": lambda a, b: dino([b.detach(), a.detach()], [a, b], epoch=0),
        "msn": lambda a, b: msn(a, b, prototypes),
        "w_mse": lambda a, b: whitened(torch.cat([a, b])),
        "frossl": lambda a, b: frossl([a, b]),
        "sigreg": lambda a, b: sketch(torch.stack([a, b])),
    }
