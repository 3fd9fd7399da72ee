"""Whole views: probabilities, keys, selected rows, settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.images.views import jitter
from data.images.views.view import View
from data.images.views.view_set import ViewSet
from runs.errors import ConfigError
from tests.data.images.pictures import photographs

STILL = {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "flip": 0.0}
COLOURS = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}
EVERYTHING = {**COLOURS, "gray": 0.2, "blur": 0.5, "solarize": 0.2}
IDENTITY = {"mean": (0.0,) * 3, "std": (1.0,) * 3}


def seen(view: View, images: torch.Tensor, samples: torch.Tensor | None = None, **keys: int) -> torch.Tensor:
    samples = torch.arange(len(images)) if samples is None else samples
    sizes = torch.tensor(images.shape[2:]).expand(len(images), 2)
    return view(images, sizes, samples, **({"seed": 0, "epoch": 0, "number": 0, "size": images.shape[3]} | keys))


def test_a_view_without_any_operation_is_the_image() -> None:
    images = photographs(5)
    assert torch.allclose(seen(View(**STILL), images), images / 255, atol=1e-6)


def test_unchosen_rows_are_untouched_and_their_number_is_as_told() -> None:
    images = photographs(1, 16, 16).expand(1500, 3, 16, 16)
    plain = seen(View(**STILL), images)
    for setting in ({"jitter": 0.3, **COLOURS}, {"gray": 0.3}, {"blur": 0.3, "blur_sigma": (1, 2)}, {"solarize": 0.3}):
        same = (seen(View(**STILL, **setting), images) == plain).flatten(1).all(1)
        assert abs(same.double().mean() - 0.7) < 4 * (0.21 / 1500) ** 0.5, setting
    mirrored = seen(View(**(STILL | {"flip": 0.3})), images)
    flipped = torch.isclose(mirrored, plain.flip(3), atol=1e-6).flatten(1).all(1)
    assert abs(flipped.double().mean() - 0.3) < 4 * (0.21 / 1500) ** 0.5


@given(split=st.integers(1, 15), seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
@settings(max_examples=10)
def test_a_sample_has_the_same_view_in_every_batch(split: int, seed: int, epoch: int) -> None:
    images, samples = photographs(16), torch.randperm(1000, generator=torch.Generator().manual_seed(split))[:16]
    view = View(**EVERYTHING)
    together = seen(view, images, samples, seed=seed, epoch=epoch)
    parts = [
        seen(view, images[part], samples[part], seed=seed, epoch=epoch) for part in (slice(split), slice(split, 16))
    ]
    assert torch.allclose(together, torch.cat(parts), atol=1e-6)


@pytest.mark.parametrize("key", ["seed", "epoch", "number"])
def test_another_key_gives_another_view(key: str) -> None:
    images = photographs(8)
    assert not torch.allclose(seen(View(), images), seen(View(), images, **{key: 1}), atol=0.05)


def test_more_probability_of_one_operation_leaves_the_others_draws_alone() -> None:
    images = photographs(32)
    cropped = seen(View(), images)
    solarised = seen(View(solarize=1.0), images)
    assert torch.allclose(solarised, torch.minimum(cropped, 1 - cropped))


def test_colours_stay_on_the_unit_interval() -> None:
    view = seen(View(**EVERYTHING), photographs(200))
    assert view.min() >= -1e-6 and view.max() <= 1 + 1e-6


def test_orders_of_the_jitter_differ_between_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def noted(operation: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        return lambda images, factor: (used.append(operation.__name__), operation(images, factor))[1]

    monkeypatch.setattr(jitter, "OPERATIONS", tuple(noted(operation) for operation in jitter.OPERATIONS))
    images, view = photographs(1).expand(2, 3, 32, 32), View(**STILL, jitter=1.0, **COLOURS)
    orders: set[tuple[str, ...]] = set()
    for epoch in range(40):
        used.clear()
        seen(view, images, epoch=epoch)
        orders.add(tuple(used))
    assert len(orders) > 12 and all(sorted(order) == sorted(COLOURS) for order in orders)


def test_a_view_set_gives_global_views_then_local_ones_each_with_its_own_draws() -> None:
    views = ViewSet(whole=View(count=2), part=View(count=3, size=12, crop_scale=(0.05, 0.4)))
    made = views(photographs(4), torch.arange(4), 0, 0, 32, **IDENTITY)
    assert [tuple(view.shape[2:]) for view in made] == [(32, 32)] * 2 + [(12, 12)] * 3
    assert views.global_views == 2
    assert not torch.allclose(made[0], made[1], atol=0.05) and not torch.allclose(made[2], made[3], atol=0.05)


def test_views_are_normalised_by_channel() -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    images, samples = photographs(4), torch.arange(4)
    plain, normal = (
        ViewSet(only=View())(images, samples, 0, 0, 32, **w)[0] for w in (IDENTITY, {"mean": mean, "std": std})
    )
    back = normal * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    assert torch.allclose(back, plain, atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"crop_scale": (0.0, 1.0)}, r"crop_scale is \[0.0, 1.0\]"),
        ({"crop_scale": (0.2, 1.5)}, r"crop_scale is \[0.2, 1.5\]; .* at most 1"),
        ({"crop_scale": (0.9, 0.2)}, "crop_scale"),
        ({"crop_scale": (float("nan"), 1.0)}, "crop_scale"),
        ({"crop_ratio": (-1, 1)}, "crop_ratio"),
        ({"blur_sigma": (0.0, 1.0)}, "blur_sigma"),
        ({"flip": 1.5}, "flip is 1.5"),
        ({"gray": -0.1}, "gray is -0.1"),
        ({"hue": 0.6}, "hue is 0.6; give a number from 0 to 0.5"),
        ({"brightness": 1.2}, "brightness is 1.2"),
        ({"count": -1}, "count is -1"),
        ({"size": 0}, "size is 0"),
    ],
)
def test_settings_out_of_range_are_named(setting: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        View(**setting)


@pytest.mark.parametrize("views", [{}, {"local": View(size=12)}, {"local": View(size=12), "whole": View()}])
def test_a_set_needs_views_of_full_size_first(views: dict[str, View]) -> None:
    with pytest.raises(ConfigError, match="full size"):
        ViewSet(**views)
