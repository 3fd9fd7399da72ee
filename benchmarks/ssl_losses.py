"""Value and gradient of self-supervised losses against lightly's and the usual forms with masks (docs/papers/ssl.md#13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from benchmarks.harness import Case, Target
from benchmarks.lightly_losses import INSTALL, lightly, peers
from benchmarks.measure import CPU, WALL, Probe
from benchmarks.ssl_schemes import barlow_twins_with_mask, nt_xent_with_mask, vicreg_with_mask
from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.parts.losses.cosine import negative_cosine
from models.ssl.parts.losses.dcl import dcl
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.frossl import frossl
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.losses.mmcr import mmcr
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.losses.nt_xent import nt_xent
from models.ssl.parts.losses.sigreg import sigreg
from models.ssl.parts.losses.swav import swav
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.losses.vicreg import vicreg
from models.ssl.parts.losses.w_mse import w_mse
from models.ssl.parts.state.center import Center
from models.ssl.parts.state.sinkhorn import sinkhorn

REPEATS = {"toy": 1, "small": 9, "paper": 9}
EVALUATIONS = {"toy": 1, "small": 10, "paper": 5}
"""Of one contender in a round."""
OURS, PEER, USUAL = "ours", "lightly", "usual form with masks"
USUAL_FORMS = {"nt_xent": nt_xent_with_mask, "vicreg": vicreg_with_mask, "barlow_twins": barlow_twins_with_mask}
Loss = Callable[[Tensor, Tensor], Tensor]

SHAPES: dict[str, Mapping[str, tuple[int, int]]] = {
    "nt_xent": {"toy": (8, 4), "small": (256, 256), "paper": (1024, 256)},
    "vicreg": {"toy": (8, 4), "small": (256, 256), "paper": (256, 2048)},
    "barlow_twins": {"toy": (8, 4), "small": (256, 256), "paper": (1024, 256)},
    "dcl": {"small": (256, 256), "paper": (1024, 256)},
    "negative_cosine": {"small": (256, 256), "paper": (256, 2048)},
    "koleo": {"small": (256, 256), "paper": (1024, 256)},
    "tico": {"small": (256, 256), "paper": (1024, 256)},
    "mmcr": {"small": (256, 128), "paper": (256, 512)},
    "swav": {"small": (256, 512), "paper": (256, 3000)},
    "dino": {"small": (256, 1024), "paper": (256, 4096)},
    "msn": {"small": (256, 128), "paper": (1024, 256)},
    "w_mse": {"small": (256, 64), "paper": (1024, 64)},
    "frossl": {"small": (256, 256), "paper": (256, 1024)},
    "sigreg": {"small": (256, 64), "paper": (256, 128)},
}
"""Images, and width of z or number of prototypes, of the two views."""


def cases(size: str) -> Iterator[Case]:
    """One case per loss; without lightly only the losses that have a usual form here."""
    torch.set_num_threads(1)
    library = lightly()
    if library is None:
        print(f"lightly is not installed, so only usual forms are compared. To compare with it: {INSTALL}")
    for name, shapes in SHAPES.items():
        if size in shapes and (library is not None or name in USUAL_FORMS):
            images, width = shapes[size]
            views = torch.randn(2, images, width, generator=torch.Generator().manual_seed(0))
            if name == "swav":
                views /= 4  # nearly cosines; with larger logits lightly's Sinkhorn overflows
            yield loss_case(name, views, library, EVALUATIONS[size])


def loss_case(name: str, views: Tensor, library: object, evaluations: int) -> Case:
    """The same loss in up to three ways, which are first checked to agree."""
    _, images, width = views.shape
    prototypes = torch.randn(256, width, generator=torch.Generator().manual_seed(1))
    ways: dict[str, Loss] = {PEER: peers(library, width, prototypes)[name]} if library is not None else {}
    ways |= {USUAL: USUAL_FORMS[name]} if name in USUAL_FORMS else {}
    ways[OURS] = ours(width, prototypes)[name]
    expected, *others = [_evaluate(way, views) for way in ways.values()]
    for other in others:
        torch.testing.assert_close(other, expected, rtol=1e-3, atol=1e-4)
    baseline = next(iter(ways))
    targets = [Target(OURS, "loss and gradient", unit, 1.0) for unit in (WALL, CPU)]
    runs = {key: _timed(way, views, evaluations) for key, way in ways.items()}
    return Case(f"{name}, two views, {images:,} x {width:,}", runs, baseline, targets)


def ours(width: int, prototypes: Tensor) -> dict[str, Loss]:
    """Our losses of two views by name, with lightly's settings."""
    start, center = torch.zeros(width, width), Center(width)

    def distilled(a: Tensor, b: Tensor) -> Tensor:
        teacher = [b.detach(), a.detach()]
        loss = dino([a, b], [center(t, 0.04) for t in teacher])
        center.update(torch.stack(teacher))
        return loss

    return {
        "nt_xent": lambda a, b: nt_xent(a, b, 0.2),
        "vicreg": vicreg,
        "barlow_twins": barlow_twins,
        "dcl": lambda a, b: dcl(a, b, 0.1),
        "negative_cosine": negative_cosine,
        "koleo": lambda a, b: koleo(a) + koleo(b),
        "tico": lambda a, b: tico(a, b, start)[0],
        "mmcr": lambda a, b: mmcr(torch.stack([a, b], 1)),
        "swav": lambda a, b: swav([sinkhorn(x.detach()) for x in (a, b)], [a, b]),
        "dino": distilled,
        "msn": lambda a, b: msn(a, b, prototypes),
        "w_mse": lambda a, b: w_mse(a, b, 2 * width),
        "frossl": lambda a, b: frossl([a, b]),
        "sigreg": lambda a, b: sigreg(torch.stack([a, b])),
    }


def _evaluate(way: Loss, views: Tensor) -> list[Tensor]:
    """Value and gradients; random choices start from the same state."""
    torch.manual_seed(0)
    leaves = [view.clone().requires_grad_() for view in views]
    loss = way(*leaves).reshape(())
    return [loss.detach(), *torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)]


def _timed(way: Loss, views: Tensor, evaluations: int) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        with probe.during("loss and gradient", share=1 / evaluations):
            for _ in range(evaluations):
                _evaluate(way, views)

    return run
