"""ibot, dinov2 and msn: who sees which patches, and what their losses are made of."""

from __future__ import annotations

import pytest
import torch

from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.ibot import ibot_patch
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.masking.some_images import SomeImages
from models.ssl.parts.state.sinkhorn import sinkhorn
from models.ssl.recipe import Moment, Recipe, ViewBatch
from runs.errors import ConfigError
from tests.models.ssl.recipes import built, trained, views

START = Moment(0, 10, 0, 1)


def mask_of(recipe: Recipe, rows: int, seed: int = 5) -> torch.Tensor:
    torch.manual_seed(seed)
    return recipe.masking(rows, (4, 4), torch.device("cpu"))


def with_local_view(batch: ViewBatch) -> ViewBatch:
    return ViewBatch((*batch.views, batch.views[0][..., 2:6, 2:6]), batch.global_views)


def test_some_images_are_masked_and_by_different_shares() -> None:
    torch.manual_seed(0)
    counts = SomeImages(0.5, (0.1, 0.5))(2000, (8, 8), torch.device("cpu")).sum(1)
    masked = counts[counts > 0]
    assert len(masked) / 2000 == pytest.approx(0.5, abs=0.04)
    assert masked.min() == 6 and masked.max() == 32
    assert masked.double().mean().item() == pytest.approx(0.3 * 64, abs=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"probability": 0.0}, r"probability is 0\.0"), ({"share": (0.5, 0.1)}, r"share is \[0\.5, 0\.1\]")],
)
def test_shares_that_make_no_sense_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SomeImages(**settings)


@pytest.mark.parametrize("name", ["ibot", "dinov2"])
def test_the_loss_is_dino_over_views_and_the_cross_entropy_of_hidden_patches(name: str) -> None:
    recipe, batch = built(name), with_local_view(views(rows=4, number=2))
    trained(recipe, views(rows=4, number=2, seed=3), 2)  # centres away from zero
    mask = mask_of(recipe, 8)
    images, tokens = torch.cat(batch.views[:2]), None
    encoder, head, patch_head = recipe.teacher.module
    with torch.no_grad():
        tokens = encoder.tokens(images)
        taught = list(head(tokens[:, 0]).chunk(2))
        hidden = patch_head(tokens[:, 1:][mask])
        if name == "ibot":
            softened = [((t - recipe.center.center) / 0.04).softmax(1) for t in taught]
            patches = ((hidden - recipe.patch_center.center) / 0.04).softmax(1)
        else:
            softened = list(sinkhorn(torch.cat(taught), 0.04, 3).chunk(2))
            patches = sinkhorn(hidden, 0.04, 3)
    student = recipe.encoder.tokens(images, mask=mask, mask_token=recipe.mask_token)
    logits = [recipe.head(h) for h in (*student[:, 0].chunk(2), recipe.encoder(batch.views[2]))]
    expected = dino(logits, softened) + ibot_patch(recipe.patch_head(student[:, 1:][mask]), patches, mask)
    if name == "dinov2":
        expected = expected + 0.1 * sum(koleo(h) for h in student[:, 0].chunk(2))
    torch.manual_seed(5)
    output = recipe(batch, START)
    torch.testing.assert_close(output.loss, expected)
    assert set(output.terms) == {"views", "patches"} | ({"spread"} if name == "dinov2" else set())


def test_ibot_shares_its_head_and_dinov2_does_not() -> None:
    shared, separate = built("ibot"), built("dinov2")
    assert shared.patch_head is shared.head and shared.teacher.module[1] is shared.teacher.module[2]
    assert separate.patch_head is not separate.head


def test_the_last_layers_stand_still_in_the_first_epochs() -> None:
    recipe = built("dinov2")
    for epoch, still in ((0, True), (1, False)):
        torch.manual_seed(epoch)
        recipe.zero_grad()
        recipe(views(number=2), Moment(0, 10, epoch, 5)).loss.backward()
        recipe.before_step(Moment(0, 10, epoch, 5))
        assert [recipe.head.last.grad is None, recipe.patch_head.last.grad is None] == [still, still]


def test_the_teachers_temperature_warms_up() -> None:
    recipe = built("ibot", "model.teacher_warmup=4")
    assert [recipe.temperature(epoch) for epoch in (0, 1, 3, 4, 50)] == pytest.approx([0.04, 0.05, 0.07, 0.07, 0.07])


def test_ibots_centres_move_after_the_loss_by_a_tenth_of_the_mean() -> None:
    recipe, batch = built("ibot"), views(rows=4, number=2)
    mask = mask_of(recipe, 8)
    encoder, head, _ = recipe.teacher.module
    with torch.no_grad():
        tokens = encoder.tokens(torch.cat(batch.views))
    torch.manual_seed(5)
    recipe(batch, START)
    assert not recipe.center.center.any()
    recipe.after_step(START)
    torch.testing.assert_close(recipe.center.center, 0.1 * head(tokens[:, 0]).mean(0), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        recipe.patch_center.center, 0.1 * head(tokens[:, 1:][mask]).mean(0), rtol=1e-4, atol=1e-6
    )


def test_a_batch_without_any_masked_image_has_a_loss_and_gradients() -> None:
    for name in ("ibot", "dinov2"):
        recipe = built(name)
        recipe.masking = lambda rows, grid, device, views: torch.zeros(rows, 16, dtype=torch.bool)
        output = recipe(views(number=2), START)
        output.loss.backward()
        recipe.after_step(START)
        assert torch.isfinite(output.loss) and output.terms["patches"] == 0
        assert all(p.grad is not None for p in recipe.parameters() if p.requires_grad), "DDP waits for each of them"


def test_msns_anchors_hide_patches_and_its_target_is_the_whole_first_view() -> None:
    recipe, batch = built("msn").eval(), with_local_view(views(rows=4, number=3))
    torch.manual_seed(5)
    anchors = []
    for view in batch.views[1:3]:
        mask = recipe.masking(4, (4, 4), torch.device("cpu"))
        assert mask.sum(1).tolist() == [2] * 4, "15 % of 16 patches"
        rows = [recipe.encoder.tokens(view[i : i + 1], keep=(~mask[i]).nonzero().T)[:, 0] for i in range(4)]
        anchors.append(torch.cat(rows))
    anchors.append(recipe.encoder(batch.views[3]))
    z = torch.cat([recipe.projector(h) for h in anchors])
    target = recipe.projector(recipe.encoder(batch.views[0]))  # the target starts equal
    expected = msn(z, target, recipe.prototypes.weight)
    torch.manual_seed(5)
    torch.testing.assert_close(recipe(batch, START).loss, expected)


def test_msns_prototypes_keep_unit_norm() -> None:
    recipe = built("msn")
    trained(recipe, views(number=2), 3)
    torch.testing.assert_close(recipe.prototypes.weight.norm(dim=1), torch.ones(12))


@pytest.mark.parametrize("name", ["ibot", "dinov2", "msn"])
def test_a_single_view_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        built(name)(views(), START)
