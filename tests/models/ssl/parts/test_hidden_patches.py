"""simmim, beit, data2vec and ijepa: what is hidden, what is predicted, and against which target."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.encoders.patches import patchify
from models.ssl.data2vec import Data2Vec
from models.ssl.parts.masking.blockwise import Blockwise
from models.ssl.recipe import Moment, Recipe, ViewBatch
from runs.errors import ConfigError
from tests.models.ssl.recipes import built, trained, views

START = Moment(0, 10, 0, 1)
CPU = torch.device("cpu")


def loss_of(recipe: Recipe, images: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(5)
    return recipe(ViewBatch((images,), 1), START).loss


def mask_of(recipe: Recipe, rows: int) -> torch.Tensor:
    torch.manual_seed(5)
    return recipe.masking(rows, (4, 4), CPU)


def predicted(recipe: Recipe, images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """At the hidden patches of all images, (hidden of all, outputs)."""
    return recipe.head(recipe.encoder.tokens(images, mask=mask, mask_token=recipe.mask_token)[:, 1:][mask])


def test_simmim_compares_hidden_pixels_by_their_absolute_difference() -> None:
    recipe, images = built("simmim"), views(rows=4).views[0]
    mask = mask_of(recipe, 4)
    expected = (predicted(recipe, images, mask) - patchify(images, 2)[mask]).abs().mean()
    torch.testing.assert_close(loss_of(recipe, images), expected)


def test_simmim_sees_nothing_of_hidden_pixels_and_shows_visible_ones() -> None:
    recipe, images = built("simmim").eval(), views(rows=2).views[0]
    hidden = mask_of(recipe, 2).view(2, 1, 4, 4).repeat_interleave(2, 2).repeat_interleave(2, 3).expand_as(images)
    pictures = []
    for shown in (images, torch.where(hidden, torch.randn_like(images), images)):
        torch.manual_seed(5)
        pictures.append(recipe.reconstruct(shown).images)
        assert torch.equal(pictures[-1][~hidden], images[~hidden])
    torch.testing.assert_close(*pictures)


def test_beit_asks_for_the_codes_of_hidden_patches() -> None:
    recipe, images = built("beit"), views(rows=4).views[0]
    trained(recipe, ViewBatch((images,), 1), 1)
    mask = mask_of(recipe, 4)
    codes = torch.cdist(patchify(images, 2).flatten(0, 1), recipe.codes.centers).argmin(1).view(4, 16)
    expected = functional.cross_entropy(predicted(recipe, images, mask), codes[mask])
    torch.testing.assert_close(loss_of(recipe, images), expected)


def test_beits_codes_stand_still_after_their_epochs() -> None:
    recipe, batch = built("beit"), views()
    recipe(batch, START)
    for epoch, moves in ((0, True), (1, False)):
        before = recipe.codes.centers.clone()
        recipe(batch, Moment(0, 10, epoch, 3))
        recipe.after_step(Moment(0, 10, epoch, 3))
        assert torch.equal(recipe.codes.centers, before) != moves


def test_data2vecs_target_is_the_mean_of_the_teachers_blocks_on_the_whole_image() -> None:
    recipe, images = built("data2vec"), views(rows=4).views[0]
    trained(recipe, ViewBatch((images,), 1), 2)
    mask = mask_of(recipe, 4)
    teacher = recipe.teacher.module
    with torch.no_grad():
        x = teacher.embedded(images)
        blocks = []
        for block in teacher.transformer.blocks:
            x = block(x)[0]
            tokens = x[:, 1:]
            spread = (tokens.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
            blocks.append((tokens - tokens.mean(1, keepdim=True)) / spread)
    target = torch.stack(blocks).mean(0)[mask]
    expected = functional.smooth_l1_loss(predicted(recipe, images, mask), target, beta=2.0)
    torch.testing.assert_close(loss_of(recipe, images), expected)


def test_ijepa_predicts_each_block_by_itself_from_the_context() -> None:
    recipe, images = built("ijepa"), views(rows=3).views[0]
    trained(recipe, ViewBatch((images,), 1), 2)
    torch.manual_seed(5)
    context, targets = recipe.masking(3, (4, 4), CPU)
    with torch.no_grad():
        features = recipe.teacher.module.tokens(images)[:, 1:]
        features = functional.layer_norm(features, (16,))
    terms = []
    for row in range(3):
        tokens = recipe.encoder.tokens(images[row : row + 1], keep=context[row : row + 1])[:, 1:]
        for block in targets[row]:
            made = recipe.predictor(tokens, context[row : row + 1], block[None])[0]
            terms.append(functional.smooth_l1_loss(made, features[row, block]))
    torch.testing.assert_close(loss_of(recipe, images), torch.stack(terms).mean())


def test_data2vec_refuses_more_blocks_than_there_are() -> None:
    encoder = built("data2vec").encoder
    with pytest.raises(ConfigError, match=r"model\.blocks is 3; the encoder has 2"):
        Data2Vec(encoder, Blockwise(0.6), blocks=3)
