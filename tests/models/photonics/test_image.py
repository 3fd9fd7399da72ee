"""A prior of pixels sees what lies around each of them, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.photonics.image import ImageNetwork
from runs.errors import ConfigError
from tests.data.photonics.small import crossing

DEVICE = crossing()


def network() -> ImageNetwork:
    torch.manual_seed(0)
    return ImageNetwork(layers=2, channels=4, kernel=3)


def test_a_pixel_is_solid_void_or_designable_and_knows_its_place() -> None:
    (planes,) = network().encode(DEVICE)
    assert planes.shape == (5, 8 + 4, 12 + 4)
    assert (planes[:3].sum(0) == 1).all()
    assert (planes[2, 2:-2, 2:-2] == 1).all() and planes[2].sum() == 8 * 12
    assert (planes[0, 0] == torch.tensor([0.0] * 3 + [1.0] * 10 + [0.0] * 3)).all()  # the waveguide on the left
    assert planes[3, 2:-2, 0].numpy() == pytest.approx(np.linspace(-7 / 8, 7 / 8, 8))
    assert planes[4, 0, 2:-2].numpy() == pytest.approx(np.linspace(-11 / 12, 11 / 12, 12))


def test_fixed_pixels_are_what_they_are_fixed_to() -> None:
    fixed = np.full(DEVICE.box.shape, -1, np.int8)
    fixed[0, 0], fixed[7, 11] = 1, 0
    (planes,) = network().encode(replace(DEVICE, fixed=fixed))
    assert planes[:3, 2, 2].tolist() == [1, 0, 0]
    assert planes[:3, -3, -3].tolist() == [0, 1, 0]


def test_latents_are_one_a_pixel_row_by_row_and_those_of_the_padded_picture() -> None:
    prior = network()
    latent = prior.latent(DEVICE)
    assert latent.shape == (DEVICE.variables,)
    (planes,) = ImageNetwork(layers=1, kernel=9).encode(DEVICE)  # two pixels more on every side
    with torch.no_grad():
        wide = prior.layers(planes[None])[0, 0, 2:-2, 2:-2]
    assert wide.flatten().numpy() == pytest.approx(latent, abs=1e-6)


def test_what_lies_beyond_the_device_is_void() -> None:
    (planes,) = ImageNetwork(layers=3, kernel=21).encode(DEVICE)
    assert planes[1, 0, 0] == 1 and planes.shape == (5, 8 + 60, 12 + 60)


@pytest.mark.parametrize("setting", ["channels", "kernel", "layers"])
def test_settings_that_make_no_convolution_are_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.layers, channels and kernel are .*an odd kernel"):
        ImageNetwork(**{setting: 0})
    with pytest.raises(ConfigError):
        ImageNetwork(kernel=8)
