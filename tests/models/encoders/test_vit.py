"""The vision transformer: published sizes, what is hidden from it, and other image sizes."""

from __future__ import annotations

import pytest
import torch
from hydra.utils import instantiate

from models.encoders.drop_path import DropPath
from models.encoders.patches import patchify, unpatchify
from models.encoders.positions import grid_positions
from models.encoders.vit import VisionTransformer
from runs.errors import ConfigError
from tests.composition import composed


def vit(**changes: object) -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(**{"image_size": 8, "patch": 2, "width": 12, "layers": 2, "heads": 3} | changes).eval()


@pytest.mark.parametrize(
    ("name", "parameters", "patches"),
    [
        # timm's models without a head
        ("vit_s16", 21_665_664, 196),
        ("vit_b16", 85_798_656, 196),
        ("vit_s4", 21_665_664 - (256 - 16) * 3 * 384 - (196 - 64) * 384, 64),
        ("vit_tiny", 96 * (48 + 1) + 96 + 65 * 96 + 4 * (12 * 96**2 + 13 * 96) + 2 * 96, 64),
    ],
)
def test_the_number_of_parameters_is_the_published_one(name: str, parameters: int, patches: int) -> None:
    with torch.device("meta"):
        encoder = instantiate(composed(f"+model/encoder@model={name}").model)
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert encoder.patches == patches


def test_patches_go_row_by_row_and_come_back() -> None:
    images = torch.arange(2 * 3 * 4 * 6).view(2, 3, 4, 6)
    patches = patchify(images, 2)
    assert patches.shape == (2, 6, 12)
    assert torch.equal(patches[1, 4].view(3, 2, 2), images[1, :, 2:4, 2:4])
    assert torch.equal(unpatchify(patches, 2, (2, 3)), images)


def test_the_embedding_is_a_linear_map_of_each_patch() -> None:
    encoder, images = vit(), torch.randn(3, 3, 8, 8)
    weight = encoder.embedding.weight.flatten(1)
    expected = patchify(images, 2) @ weight.T + encoder.embedding.bias + encoder.positions[1:]
    embedded = encoder.embedded(images)
    torch.testing.assert_close(embedded[:, 1:], expected)
    torch.testing.assert_close(embedded[:, 0], (encoder.cls + encoder.positions[0]).expand(3, -1))


def test_h_is_the_class_token_or_the_mean_of_the_others() -> None:
    images = torch.randn(3, 3, 8, 8)
    tokens = vit().tokens(images)
    assert tokens.shape == (3, 17, 12)
    torch.testing.assert_close(vit()(images), tokens[:, 0])
    torch.testing.assert_close(vit(pool="mean")(images), tokens[:, 1:].mean(1))


def test_kept_patches_are_seen_in_the_order_given_and_the_others_not_at_all() -> None:
    encoder, images = vit(), torch.randn(2, 3, 8, 8)
    keep = torch.tensor([[3, 0, 9], [15, 2, 7]])
    hidden = torch.ones(2, 16, dtype=torch.bool).scatter_(1, keep, False)
    changed = unpatchify(patchify(images, 2) + 5 * hidden[..., None], 2, encoder.grid)
    torch.testing.assert_close(encoder.tokens(images, keep=keep), encoder.tokens(changed, keep=keep))
    assert encoder.tokens(images, keep=keep).shape == (2, 4, 12)
    reordered = encoder.tokens(images, keep=keep.flip(1))
    torch.testing.assert_close(reordered[:, 1:], encoder.tokens(images, keep=keep)[:, 1:].flip(1))
    everything = torch.arange(16).expand(2, -1)
    torch.testing.assert_close(encoder.tokens(images, keep=everything), encoder.tokens(images))


def test_a_masked_patch_is_the_mask_token_at_its_place() -> None:
    encoder, images, token = vit(), torch.randn(2, 3, 8, 8), torch.randn(12)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 5] = mask[1, :3] = True
    embedded, plain = encoder.embedded(images, mask=mask, mask_token=token), encoder.embedded(images)
    torch.testing.assert_close(embedded[0, 6], token + encoder.positions[6])
    assert torch.equal(embedded[:, 1:][~mask], plain[:, 1:][~mask])
    with pytest.raises(ConfigError, match="no mask token"):
        encoder.tokens(images, mask=mask)


def test_attention_maps_and_the_tokens_of_all_blocks_agree_with_the_forward_pass() -> None:
    encoder, images = vit(), torch.randn(2, 3, 8, 8)
    maps, outputs = encoder.attention(images), encoder.outputs(images)
    assert maps.shape == (2, 2, 3, 17, 17)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 3, 17))
    assert len(outputs) == 2
    torch.testing.assert_close(encoder.transformer.last_norm(outputs[-1]), encoder.tokens(images))


@pytest.mark.parametrize("positions", ["learned", "sincos"])
def test_images_of_another_size_get_interpolated_positions(positions: str) -> None:
    encoder = vit(positions=positions)
    assert encoder.tokens(torch.randn(2, 3, 4, 4)).shape == (2, 5, 12)
    assert encoder.tokens(torch.randn(2, 3, 12, 16)).shape == (2, 49, 12)
    with torch.no_grad():
        encoder.positions[1:] = 3.0
    torch.testing.assert_close(encoder._positions_of((2, 2))[1:], torch.full((4, 12), 3.0))


def test_fixed_positions_encode_column_and_row_and_are_not_learned() -> None:
    encoder = vit(positions="sincos")
    assert "positions" not in dict(encoder.named_parameters()) and "positions" not in encoder.state_dict()
    grid = grid_positions(3, 4, 8).view(3, 4, 8)
    assert torch.equal(grid[0, :, :4], grid[2, :, :4]) and torch.equal(grid[:, 0, 4:], grid[:, 3, 4:])
    frequencies = torch.tensor([1.0, 0.01])
    torch.testing.assert_close(grid[2, 3, :4], torch.cat([(3 * frequencies).sin(), (3 * frequencies).cos()]))
    torch.testing.assert_close(grid[2, 3, 4:], torch.cat([(2 * frequencies).sin(), (2 * frequencies).cos()]))


def test_drop_path_grows_with_depth_and_keeps_the_mean() -> None:
    encoder = vit(layers=3, drop_path=0.4)
    assert [block.drop_path.probability for block in encoder.transformer.blocks] == [0.0, 0.2, 0.4]
    drop = DropPath(0.4).train()
    torch.manual_seed(1)
    rows = drop(torch.ones(4000, 2, 3))
    assert torch.equal(rows, rows[:, :1, :1].expand_as(rows)), "a row is dropped as a whole"
    assert rows.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert rows.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(rows), rows)
    with pytest.raises(ValueError, match="drop_path is 1"):
        DropPath(1.0)


def test_the_ranks_drop_what_one_process_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    x, drop = torch.ones(12, 2), DropPath(0.5).train()
    torch.manual_seed(8)
    alone = drop(x)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        torch.manual_seed(8)
        assert torch.equal(drop(x.chunk(3)[rank]), alone.chunk(3)[rank]), "as the training loader deals images"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch": 3}, "patch is 3.* 8 x 8"),
        ({"pool": "max"}, "pool.*'max'"),
        ({"positions": "none"}, "positions.*'none'"),
    ],
)
def test_settings_that_make_no_vision_transformer_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        vit(**changes)


def test_an_image_the_patch_does_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"patch is 2.* 7 x 8"):
        vit()(torch.randn(1, 3, 7, 8))
