"""Masked recipes as their YAML files have them, at the size of a test."""

from __future__ import annotations

import functools

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from models.ssl.recipe import Moment, Recipe, ViewBatch
from tests.composition import composed

ENCODER = [f"model.encoder.{setting}" for setting in ("image_size=8", "patch=2", "width=16", "layers=2", "heads=2")]
SMALL = {
    "mae": ["model.decoder.width=16", "model.decoder.layers=1", "model.decoder.heads=2"],
    "simmim": [],
    "beit": ["model.codes=12"],
    "data2vec": ["model.blocks=2", "model.start=0.9"],
    "ibot": ["model.head.hidden=16", "model.head.bottleneck=8", "model.head.prototypes=12", "model.start=0.9"],
    "dinov2": ["model.head.hidden=16", "model.head.bottleneck=8", "model.head.prototypes=12", "model.start=0.9"],
    "msn": ["model.prototypes=12", "model.projector.hidden=16", "model.projector.out=8", "model.target.start=0.9"],
    "ijepa": ["model.predictor.width=8", "model.predictor.layers=1", "model.predictor.heads=2", "model.start=0.9"],
}


def built(name: str, *overrides: str) -> Recipe:
    """The recipe of conf/model/ssl with tiny networks."""
    torch.manual_seed(0)
    return instantiate(_configuration(name, overrides), _convert_="all")


@functools.cache
def _configuration(name: str, overrides: tuple[str, ...]) -> DictConfig:
    return composed(f"model=ssl/{name}", *ENCODER, *SMALL[name], *overrides).model


def views(rows: int = 16, number: int = 1, seed: int = 0) -> ViewBatch:
    """Smooth images: each a random gradient of colours, so that hidden patches can be told from visible ones."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(number):
        down, across, level = torch.randn(3, rows, 3, 1, 1, generator=generator)
        ramp = torch.linspace(-1, 1, 8)
        made.append(
            level + down * ramp[:, None] + across * ramp + 0.1 * torch.randn(rows, 3, 8, 8, generator=generator)
        )
    return ViewBatch(tuple(made), global_views=number)


def trained(recipe: Recipe, batch: ViewBatch, steps: int, lr: float = 3e-3) -> list[float]:
    """Losses of the steps, with the hooks in the order of the training loop."""
    optimizer = torch.optim.AdamW([p for p in recipe.parameters() if p.requires_grad], lr)
    losses = []
    for step in range(steps):
        moment = Moment(step, steps, 0, 1)
        optimizer.zero_grad()
        loss = recipe(batch, moment).loss
        loss.backward()
        recipe.before_step(moment)
        optimizer.step()
        recipe.after_step(moment)
        losses.append(float(loss.detach()))
    return losses
