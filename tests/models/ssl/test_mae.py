"""MAE: what the encoder sees, what counts in the loss, and the picture put together again."""

from __future__ import annotations

import pytest
import torch

from models.encoders.patches import patchify
from models.encoders.vit import VisionTransformer
from models.ssl.mae import MAE
from models.ssl.parts.masking.random import RandomMasking
from models.ssl.parts.patch_predictor import PatchPredictor
from models.ssl.recipe import Moment, ViewBatch
from runs.errors import ConfigError
from tests.models.ssl.recipes import built, views

START = Moment(0, 10, 0, 1)


def loss_of(recipe: MAE, images: torch.Tensor, seed: int = 7) -> torch.Tensor:
    torch.manual_seed(seed)
    return recipe(ViewBatch((images,), 1), START).loss


def hidden_patches(recipe: MAE, rows: int, seed: int = 7) -> torch.Tensor:
    torch.manual_seed(seed)
    return recipe.masking(rows, recipe.encoder.grid, torch.device("cpu"))


def test_a_quarter_of_the_patches_enters_the_encoder() -> None:
    recipe = built("mae")
    seen: list[torch.Tensor] = []
    recipe.encoder.transformer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    recipe(views(rows=5), START)
    assert seen[0].shape == (5, 1 + 4, 16), "the class token and 25 % of 16 patches"


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_is_the_mean_squared_error_of_the_hidden_patches_only(normalise: bool) -> None:
    recipe, images = built("mae", f"model.normalise={normalise}"), views(rows=4).views[0]
    mask, patches = hidden_patches(recipe, 4), patchify(images, 2)
    terms = []
    for row in range(4):
        visible, hidden = (~mask[row]).nonzero().T, mask[row].nonzero().T
        tokens = recipe.encoder.tokens(images[row : row + 1], keep=visible)
        predicted = recipe.decoder(tokens, visible, hidden)[0]
        target = patches[row][mask[row]]
        if normalise:
            target = (target - target.mean(1, keepdim=True)) / (target.var(1, keepdim=True) + 1e-6).sqrt()
        terms.append((predicted - target).square().mean())
    torch.testing.assert_close(loss_of(recipe, images), torch.stack(terms).mean())


def test_what_is_predicted_does_not_depend_on_hidden_pixels_and_visible_ones_are_shown_as_they_are() -> None:
    recipe, images = built("mae", "model.normalise=false"), views(rows=1).views[0]
    mask = hidden_patches(recipe, 1).view(4, 4).repeat_interleave(2, 0).repeat_interleave(2, 1)
    pictures = []
    for shown in (images, torch.where(mask, torch.randn(1, 3, 8, 8), images), torch.where(mask, images, 1 + images)):
        torch.manual_seed(7)
        pictures.append(recipe.reconstruct(shown).images)
        assert torch.equal(pictures[-1][..., ~mask], shown[..., ~mask])
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.allclose(pictures[0][..., mask], pictures[2][..., mask])


def test_a_perfect_decoder_reconstructs_the_image() -> None:
    recipe, images = built("mae"), views(rows=3).views[0]

    class Perfect(torch.nn.Module):
        def forward(self, tokens: torch.Tensor, given: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
            patches = patchify(images, 2)[torch.arange(3)[:, None], asked]
            return (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()

    recipe.decoder = Perfect()
    assert loss_of(recipe, images).item() == pytest.approx(0, abs=1e-12)
    torch.manual_seed(7)
    rebuilt = recipe.reconstruct(images)
    torch.testing.assert_close(rebuilt.images, images)
    assert rebuilt.mask.sum(1).tolist() == [12] * 3


def test_the_predictor_does_not_care_about_the_order_of_tokens_but_about_their_places() -> None:
    torch.manual_seed(0)
    predictor = PatchPredictor(6, 5, (3, 3), width=8, layers=2, heads=2)
    tokens, given, asked = torch.randn(1, 5, 6), torch.tensor([[0, 4, 7, 2]]), torch.tensor([[1, 8]])
    predicted = predictor(tokens, given, asked)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = torch.cat([tokens[:, :1], tokens[:, 1:][:, order]], dim=1)
    torch.testing.assert_close(predictor(shuffled, given[:, order], asked), predicted)
    torch.testing.assert_close(predictor(tokens, given, asked.flip(1)), predicted.flip(1))
    assert not torch.allclose(predictor(tokens, given[:, order], asked), predicted)


def test_in_bf16_the_loss_is_in_single_precision() -> None:
    recipe = built("mae")
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(recipe, views(rows=4).views[0])
    assert loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(recipe.encoder.cls.grad).all()


def test_a_masking_that_hides_all_or_nothing_and_a_batch_without_views_are_refused() -> None:
    encoder = VisionTransformer(8, 2, 16, 1, 2)
    for share in (0.0, 1.0):
        recipe = MAE(encoder, lambda **sizes: PatchPredictor(**sizes, width=8, layers=1, heads=1), RandomMasking(share))
        with pytest.raises(ConfigError, match=rf"masking\.share is {share}"):
            recipe(views(), START)
    with pytest.raises(ConfigError, match=r"data\.views"):
        built("mae")(ViewBatch((), 0), START)
    with pytest.raises(ConfigError, match="width of the predictor is 6"):
        PatchPredictor(4, 4, (2, 2), width=6, layers=1, heads=1)
