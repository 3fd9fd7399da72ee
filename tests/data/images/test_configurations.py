"""Every file of conf/data/images and conf/data/views builds what it says."""

from __future__ import annotations

import pytest

from data.images.module import ImageData
from runs.build import build
from runs.launch.rows import names
from tests.composition import CONF, composed

IMAGES = names(CONF, "data/images")
VIEWS = names(CONF, "data/views")


def built(*overrides: str) -> ImageData:
    return build(composed(*overrides), "data")


@pytest.mark.parametrize("name", IMAGES)
def test_every_data_set_builds(name: str) -> None:
    data = built(f"data=images/{name}", *(["data.source.folder=pictures"] if "folder" in name else []))
    assert data.name == name
    assert data.views.global_views == 2


@pytest.mark.parametrize("name", VIEWS)
def test_every_set_of_views_builds(name: str) -> None:
    views = built("data=images/fake", f"data/views={name}").views
    assert views.global_views == (1 if name in ("crop_flip", "ijepa", "mae") else 2)
    assert len(views.views) == {"multi_crop": 8}.get(name, views.global_views)


@pytest.mark.parametrize("recipe", ["simclr", "byol", "dino", "mae", "vicreg", "moco_v2", "ijepa", "msn"])
@pytest.mark.parametrize("scale", ["", "_small"])
def test_views_and_encoder_of_every_recipe_fit_the_size_of_ones_own_images(recipe: str, scale: str) -> None:
    small, large = (
        composed(
            f"experiment=ssl/{recipe}{scale}", "data=images/folder", "data.source.folder=pictures", f"data.size={size}"
        )
        for size in (32, 224)
    )
    for cfg in (small, large):
        encoder = build(cfg.model, "encoder")
        patch = getattr(encoder, "patch", None)
        assert patch is None or patch == {32: 4, 224: 16}[cfg.data.size]
        assert cfg.model.encoder.get("stem") in {None, "small", {32: "cifar", 224: "imagenet"}[cfg.data.size]}


def test_large_images_have_the_views_that_their_authors_draw() -> None:
    small, large = (
        built("data=images/folder", "data.source.folder=x", "data/views=multi_crop", f"data.size={size}").views.views
        for size in (64, 224)
    )
    assert [len(small), len(large)] == [8, 10]
    assert [small[-1].size, large[-1].size] == [16, 96]
    assert [small[0].blur, large[0].blur, large[1].blur, large[-1].blur] == [0.0, 1.0, 0.1, 0.5]
    (weak, _), (mae,) = (
        built("data=images/folder", "data.source.folder=x", f"data/views={name}").views.views
        for name in ("weak", "mae")
    )
    assert list(weak.crop_scale) == list(mae.crop_scale) == [0.2, 1.0]


def test_views_differ_as_told_and_one_knob_turns_all_of_them() -> None:
    first, second, *local = built("data=images/fake", "data/views=multi_crop", "data.views.first.hue=0.0").views.views
    assert {view.hue for view in (first, second, *local)} == {0.0}
    assert (first.solarize, second.solarize) == (0.0, 0.2)
    assert {view.size for view in local} == {16}


def test_local_views_can_be_left_out() -> None:
    assert len(built("data=images/fake", "data/views=multi_crop", "data.views.local.count=0").views.views) == 2


def test_the_small_set_trains_on_the_generated_images() -> None:
    data = built("data=images/fake")
    data.setup()
    assert {split: len(images) for split, images in data.sets.items()} == {"train": 800, "validation": 200, "test": 200}
    assert len(data.train_dataloader()) == 12


@pytest.mark.parametrize(
    ("balanced", "long_tailed", "source"),
    [
        ("cifar10_small", "cifar10_small_long_tailed", "source.source.source"),
        ("cifar10_balanced", "cifar10_long_tailed", "source.source"),
    ],
)
def test_a_long_tail_is_as_large_as_the_balanced_set_beside_it_and_has_its_probes(
    balanced: str, long_tailed: str, source: str
) -> None:
    def prepared(name: str, at: str) -> ImageData:
        sizes = {"size": 4, "train_per_class": 5000, "test_per_class": 1000}
        drawn = [f"data.{at}.{key}={value}" for key, value in sizes.items()]
        data = built(f"data=images/{name}", f"data/source@data.{at}=fake", *drawn)
        data.setup()
        return data

    first, second = prepared(balanced, "source.source"), prepared(long_tailed, source)
    assert len(first.train_dataloader()) == len(second.train_dataloader())
    assert abs(len(first.trained_on) - len(second.trained_on)) < 10
    for split in ("train", "validation", "test"):
        assert first.clean(split).identity == second.clean(split).identity
