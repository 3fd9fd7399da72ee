"""What figures show is computed right, and they are PNG files."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from models.encoders.patches import patchify
from models.ssl.mae import MAE
from models.ssl.parts.patch_predictor import PatchPredictor
from runs.errors import ConfigError
from tasks.images.pictures.attention import AttentionPicture, cls_attention
from tasks.images.pictures.corruption_curve import CorruptionCurve
from tasks.images.pictures.neighbours import NeighboursPicture
from tasks.images.pictures.pca_map import PCAMap, pca_colours
from tasks.images.pictures.picture import Picture, spread_over
from tasks.images.pictures.reconstructions import HIDDEN, Reconstructions, without_hidden
from tasks.images.pictures.spectra import Spectra
from tests.tasks.images.tiny_images import TinyNet, TinyRecipe, tiny_data, tiny_parts, tiny_vit


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels(png: bytes | None) -> np.ndarray:
    """A figure, read back."""
    assert png is not None
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_attention_of_cls_is_laid_out_row_by_row() -> None:
    weights = torch.arange(2 * 7 * 7, dtype=torch.float64).view(1, 2, 7, 7)
    maps = cls_attention(weights, (2, 3))
    assert torch.equal(maps[0, 1], weights[0, 1, 0, 1:].view(2, 3))
    with pytest.raises(ConfigError, match="attention to 6 patches does not fill the grid of 2 by 2"):
        cls_attention(weights, (2, 2))


def test_colours_are_the_first_three_principal_components_stretched() -> None:
    tokens = normal(4, 9, 6) * torch.tensor([5, 4, 3, 1, 0.5, 0.1])
    flat = tokens.flatten(0, 1).numpy()
    _, _, axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    expected = (flat - flat.mean(0)) @ axes[:3].T
    colours = pca_colours(tokens).flatten(0, 1).numpy()
    assert colours.min(0) == pytest.approx([0, 0, 0]) and colours.max(0) == pytest.approx([1, 1, 1])
    for axis in range(3):
        assert abs(np.corrcoef(colours[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1.0, abs=1e-9)
    assert torch.equal(pca_colours(tokens), pca_colours(tokens.clone()))


def test_colours_need_three_dimensions_and_survive_equal_tokens() -> None:
    with pytest.raises(ConfigError, match="needs 3 tokens of 3 dimensions"):
        pca_colours(normal(5, 5, 2))
    assert torch.isfinite(pca_colours(torch.ones(2, 4, 8))).all()


def test_hidden_patches_are_grey_and_the_others_untouched() -> None:
    images = torch.rand(2, 3, 8, 8)
    mask = torch.tensor([[True, False, False, True], [False, True, False, False]])
    patches = patchify(without_hidden(images, mask, 4), 4)
    assert torch.equal(patches[mask], torch.full((3, 48), HIDDEN))
    assert torch.equal(patches[~mask], patchify(images, 4)[~mask])


def test_images_are_spread_over_a_sorted_set() -> None:
    images = tiny_data().clean("test")
    assert spread_over(images, 3).tolist() == [0, 7, 14]
    assert spread_over(images, 99).tolist() == list(range(15))


def mae() -> MAE:
    torch.manual_seed(0)
    return MAE(
        tiny_vit(), lambda inputs, outputs, grid: PatchPredictor(inputs, outputs, grid, width=8, layers=1, heads=2)
    )


@pytest.mark.parametrize(
    "picture", [NeighboursPicture(2, 2), AttentionPicture(2), PCAMap(3), Reconstructions(2), Spectra()]
)
def test_every_picture_of_a_masked_autoencoder_is_a_png_that_is_the_same_again(picture: Picture) -> None:
    parts = tiny_parts(mae())
    state = torch.get_rng_state()
    drawn = pixels(picture.draw(parts, {}))
    assert drawn.std() > 10  # not blank
    assert np.array_equal(drawn, pixels(picture.draw(parts, {})))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("picture", [AttentionPicture(), PCAMap(), Reconstructions()])
def test_pictures_of_transformers_are_left_out_for_other_networks(picture: Picture) -> None:
    assert picture.draw(tiny_parts(TinyNet()), {}) is None


def test_neighbours_of_the_same_class_have_a_green_frame_and_others_an_orange_one() -> None:
    green, orange = (0, 158, 115), (213, 94, 0)
    drawn = pixels(NeighboursPicture(3, 5).draw(tiny_parts(TinyRecipe()), {}))
    assert all((drawn == colour).all(-1).any() for colour in (green, orange))
    bare = pixels(NeighboursPicture(2, 2).draw(tiny_parts(TinyNet(), tiny_data(labelled=False)), {}))
    assert not any((bare == colour).all(-1).any() for colour in (green, orange))


def test_the_curve_needs_all_severities_and_the_clean_accuracy() -> None:
    parts = tiny_parts(TinyNet())
    metrics = {f"knn_noise_{level}": 50.0 - level for level in range(1, 6)}
    assert CorruptionCurve().draw(parts, metrics) is None
    assert CorruptionCurve().draw(parts, {"knn": 60.0, "knn_noise_1": 50.0}) is None
    assert pixels(CorruptionCurve().draw(parts, {"knn": 60.0, **metrics})).std() > 5
