"""A GPU computes what the CPU does: views, losses, trained recipes, features."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from data.images.views.view import View
from models.ssl.recipe import Moment, ViewBatch
from tests.data.images.pictures import photographs
from tests.models.ssl import joint_recipes, recipes

EVERYTHING = {
    "brightness": 0.8,
    "contrast": 0.8,
    "saturation": 0.8,
    "hue": 0.2,
    "gray": 0.2,
    "blur": 0.5,
    "solarize": 0.2,
}
OF_ONE_VIEW = {"mae", "simmim", "beit", "data2vec", "ijepa"}
START = Moment(0, 20, 0, 10)


def on_gpu(batch: ViewBatch) -> ViewBatch:
    labels = None if batch.labels is None else batch.labels.cuda()
    support = None if batch.support is None else (batch.support[0].cuda(), batch.support[1].cuda())
    return dataclasses.replace(batch, views=tuple(view.cuda() for view in batch.views), labels=labels, support=support)


@pytest.mark.parametrize("size", [32, 24])
def test_views_are_the_same(size: int) -> None:
    images = photographs(16)
    sizes, samples = torch.tensor(images.shape[2:]).expand(len(images), 2), torch.arange(len(images))
    keys = {"seed": 3, "epoch": 2, "number": 1, "size": size}
    here = View(**EVERYTHING)(images, sizes, samples, **keys)
    there = View(**EVERYTHING)(images.cuda(), sizes.cuda(), samples.cuda(), **keys)
    assert there.is_cuda
    # A pixel at a limit of solarising or a clamp may fall to its other side.
    assert (there.cpu() - here).abs().le(1e-4).double().mean() > 0.999


@pytest.mark.parametrize("name", sorted(joint_recipes.RECIPES))
def test_joint_embeddings_train_alike(name: str) -> None:
    def losses(gpu: bool) -> list[float]:
        recipe, batch = joint_recipes.build(name, torch.float64), joint_recipes.views_of(dtype=torch.float64)
        torch.manual_seed(2)
        return joint_recipes.train(recipe.cuda() if gpu else recipe, on_gpu(batch) if gpu else batch, 4)

    assert losses(True) == pytest.approx(losses(False), rel=1e-8)


@pytest.mark.parametrize("name", sorted(joint_recipes.RECIPES))
def test_losses_stay_in_single_precision_under_autocast(name: str) -> None:
    def loss(autocast: bool) -> torch.Tensor:
        recipe, batch = joint_recipes.build(name).cuda(), on_gpu(joint_recipes.views_of())
        torch.manual_seed(2)
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            value = recipe(batch, START).loss
        value.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in recipe.encoder.parameters())
        return value.detach()

    half, single = loss(True), loss(False)
    assert half.dtype == single.dtype == torch.float32
    assert half.isfinite()
    assert float(half) == pytest.approx(float(single), rel=0.2, abs=0.2)


@pytest.mark.parametrize("name", sorted(recipes.SMALL))
@pytest.mark.parametrize("autocast", [False, True])
def test_masked_recipes_learn(name: str, autocast: bool) -> None:
    recipe, batch = recipes.built(name).cuda(), on_gpu(recipes.views(number=1 if name in OF_ONE_VIEW else 2))
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        losses = recipes.trained(recipe, batch, 12)
    assert torch.tensor(losses).isfinite().all()
