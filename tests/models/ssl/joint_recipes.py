"""Every joint-embedding recipe at the size of a test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from models.ssl.alpha_cl import AlphaContrastive
from models.ssl.barlow import BarlowTwins
from models.ssl.byol import BYOL
from models.ssl.dcl import DecoupledContrastive
from models.ssl.dino import DINO
from models.ssl.direct_pred import DirectPred
from models.ssl.frossl import FroSSL
from models.ssl.mean_shift import MeanShift
from models.ssl.mmcr import MMCR
from models.ssl.moco_v2 import MoCoV2
from models.ssl.moco_v3 import MoCoV3
from models.ssl.nnclr import NNCLR
from models.ssl.parts.dino_head import DinoHead
from models.ssl.parts.direct_predictor import DirectPredictor
from models.ssl.parts.heads import Projector
from models.ssl.parts.target import Target
from models.ssl.paws import PAWS
from models.ssl.recipe import Moment, Recipe, ViewBatch
from models.ssl.ressl import ReSSL
from models.ssl.sigreg import LeJEPA
from models.ssl.simclr import SimCLR
from models.ssl.simsiam import SimSiam
from models.ssl.spectral import SpectralContrastive
from models.ssl.supcon import SupCon
from models.ssl.supervised import Supervised
from models.ssl.swav import SwAV
from models.ssl.tico import TiCo
from models.ssl.vibcreg import VIbCReg
from models.ssl.vicreg import VICReg
from models.ssl.w_mse import WhiteningMSE

WIDTH, BATCH = 12, 16
PROJECTOR = partial(Projector, hidden=16, out=8, layers=2)
PREDICTOR = partial(Projector, hidden=16, out=8, layers=2)
TARGET = partial(Target, start=0.9)


class TinyEncoder(nn.Module):
    """A convolution, a batch norm and the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.width = WIDTH
        self.layers = nn.Sequential(nn.Conv2d(3, WIDTH, 3, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images).mean((2, 3))


RECIPES: dict[str, Callable[[nn.Module], Recipe]] = {
    "simclr": partial(SimCLR, projector=PROJECTOR),
    "dcl": partial(DecoupledContrastive, projector=PROJECTOR),
    "dclw": partial(DecoupledContrastive, projector=PROJECTOR, sigma=0.5),
    "alpha_cl": partial(AlphaContrastive, projector=PROJECTOR),
    "supcon": partial(SupCon, projector=PROJECTOR),
    "moco_v2": partial(MoCoV2, projector=PROJECTOR, target=TARGET, queue=2 * BATCH),
    "moco_v3": partial(MoCoV3, projector=PROJECTOR, predictor=PREDICTOR, target=TARGET),
    "nnclr": partial(NNCLR, projector=PROJECTOR, predictor=PREDICTOR, queue=2 * BATCH),
    "mean_shift": partial(
        MeanShift, projector=PROJECTOR, predictor=PREDICTOR, target=TARGET, queue=2 * BATCH, neighbours=3
    ),
    "byol": partial(BYOL, projector=PROJECTOR, predictor=PREDICTOR, target=TARGET),
    "simsiam": partial(SimSiam, projector=PROJECTOR, predictor=PREDICTOR),
    "dino": partial(DINO, head=partial(DinoHead, hidden=16, bottleneck=8, prototypes=10), target=TARGET),
    "direct_pred": partial(DirectPred, projector=PROJECTOR, predictor=DirectPredictor, target=TARGET),
    "ressl": partial(ReSSL, projector=PROJECTOR, target=TARGET, queue=2 * BATCH),
    "vicreg": partial(VICReg, projector=PROJECTOR),
    "vibcreg": partial(VIbCReg, projector=partial(PROJECTOR, last_norm="iter", groups=2)),
    "barlow": partial(BarlowTwins, projector=PROJECTOR),
    "w_mse": partial(WhiteningMSE, projector=partial(PROJECTOR, out=4), sub_batch=8),
    "swav": partial(SwAV, projector=PROJECTOR, prototypes=6, queue=2 * BATCH, queue_start=0),
    "tico": partial(TiCo, projector=PROJECTOR, target=TARGET),
    "mmcr": partial(MMCR, projector=PROJECTOR),
    "spectral": partial(SpectralContrastive, projector=PROJECTOR),
    "frossl": partial(FroSSL, projector=PROJECTOR),
    "lejepa": partial(LeJEPA, projector=PROJECTOR),
    "paws": partial(PAWS, projector=PROJECTOR, classes=4),
    "supervised": partial(Supervised, classes=4),
}


def build(name: str, dtype: torch.dtype = torch.float32) -> Recipe:
    """A recipe with the same weights whenever it is built."""
    torch.manual_seed(1)
    return RECIPES[name](TinyEncoder()).to(dtype)


def views_of(count: int = 2, dtype: torch.dtype = torch.float32) -> ViewBatch:
    """Views of BATCH images of noise, which differ by noise."""
    generator = torch.Generator().manual_seed(0)
    images = 2 * torch.randn(BATCH, 3, 8, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, BATCH, 3, 8, 8, generator=generator, dtype=torch.float64)
    support = 2 * torch.randn(8, 3, 8, 8, generator=generator, dtype=torch.float64)
    labels = torch.arange(BATCH) % 4
    return ViewBatch(tuple((images + n).to(dtype) for n in noise), 2, labels, (support.to(dtype), labels[:8]))


def part(batch: ViewBatch, rank: int, ranks: int) -> ViewBatch:
    """What one of several processes gets of a batch."""
    assert batch.labels is not None and batch.support is not None
    views = tuple(view.chunk(ranks)[rank] for view in batch.views)
    images, labels = (part.chunk(ranks)[rank] for part in batch.support)
    return ViewBatch(views, batch.global_views, batch.labels.chunk(ranks)[rank], (images, labels))


def train(recipe: Recipe, batch: ViewBatch, steps: int, first: int = 0, lr: float = 0.02) -> list[float]:
    """Losses of so many steps of SGD whose gradients are means over the processes, as under DDP."""
    distributed = torch.distributed.is_initialized()
    weights = [parameter for parameter in recipe.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=lr)
    losses = []
    for step in range(first, first + steps):
        moment = Moment(step, 20, step // 2, 10)
        loss = recipe(batch, moment).loss
        optimizer.zero_grad()
        loss.backward()
        for parameter in weights if distributed else ():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= torch.distributed.get_world_size()
        recipe.before_step(moment)
        optimizer.step()
        recipe.after_step(moment)
        losses.append(float(loss.detach()))
    return losses
