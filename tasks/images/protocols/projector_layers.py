"""A protocol applied to every layer of the projector: where does what is useful downstream get lost?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.protocol import Protocol

ROWS = 4096


@dataclass(frozen=True)
class ProjectorLayers(Protocol):
    """``<metric>_layer_<i>`` for layer i = 1 .. L of the projector, of the metrics of another protocol.

    ``<metric>_lost_in_projector`` is how much less z has than h.

    Nothing where there is no projector whose layers can be had (``outputs``), as with one of no layers.

    Parameters
    ----------
    of
        The protocol.
    """

    of: Protocol

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """The metrics of the other protocol, layer by layer."""
        projector = None if parts.images is None else parts.images.projector
        if projector is None or not hasattr(projector, "outputs"):
            return {}
        layers = {name: outputs(projector, getattr(parts, name), parts.device) for name in PARTS}
        metrics: dict[str, float] = {}
        for i in range(len(layers["test"])):
            seen: dict[str, Any] = {name: Features(layers[name][i], getattr(parts, name).labels) for name in PARTS}
            found = self.of.evaluate(replace(parts, images=None, **seen))
            metrics |= {f"{metric}_layer_{i + 1}": value for metric, value in found.items()}
        of_h = self.of.evaluate(replace(parts, images=None)) if metrics else {}
        last = len(layers["test"])
        return metrics | {
            f"{name}_lost_in_projector": value - metrics[f"{name}_layer_{last}"] for name, value in of_h.items()
        }


PARTS = ("train", "validation", "test")


@torch.no_grad()
def outputs(projector: nn.Module, features: Features, device: torch.device) -> list[Float[Tensor, "images size"]]:
    """Outputs of every layer for all rows of h, on the host; the projector's mode is that of the caller."""
    chunks = [[z.float().cpu() for z in projector.outputs(h.to(device))] for h in features.h.split(ROWS)]  # type: ignore[operator]
    return [torch.cat(layer) for layer in zip(*chunks, strict=True)]
