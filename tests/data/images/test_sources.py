"""Subsets, splits, long tails, corruptions and generated images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.images.corruptions import STRENGTHS, Corrupted, corrupted
from data.images.fake import Fake
from data.images.long_tailed import LongTailed
from data.images.source import ImageSet, ImageSource
from data.images.subset import Subset, split
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs


class Fixed(ImageSource):
    """Images whose first pixel is their number, ``per_class`` of each of ``classes``, classes mixed."""

    def __init__(self, per_class: int = 20, classes: int = 5, labelled: bool = True) -> None:
        count = per_class * classes
        images = torch.arange(count).to(torch.uint8)[:, None, None, None].expand(count, 3, 4, 4)
        labels = torch.arange(count) % classes if labelled else None
        self.images = ImageSet(images, labels, tuple("abcdefgh"[:classes]) if labelled else (), "fixed")

    def train(self) -> ImageSet:
        return self.images

    def test(self) -> ImageSet:
        return self.images


def counts(images: ImageSet) -> list[int]:
    assert images.labels is not None
    return torch.bincount(images.labels, minlength=len(images.classes)).tolist()


def numbers(images: ImageSet) -> set[int]:
    return set(images.images[:, 0, 0, 0].tolist())


@given(small=st.integers(1, 20), large=st.integers(1, 20), seed=st.integers(0, 5))
@settings(max_examples=50)
def test_subsets_have_equal_classes_keep_labels_and_are_nested(small: int, large: int, seed: int) -> None:
    first, second = (Subset(Fixed(), count, seed=seed).train() for count in sorted((small, large)))
    assert counts(first) == [min(small, large)] * 5
    assert numbers(first) <= numbers(second)
    assert first.labels is not None and torch.equal(first.labels, first.images[:, 0, 0, 0].long() % 5)


def test_train_and_test_subsets_are_chosen_by_different_seeds_and_reproducibly() -> None:
    chosen = [Subset(Fixed(), 5, 5, seed) for seed in (0, 0, 1)]
    assert numbers(chosen[0].train()) == numbers(chosen[1].train()) != numbers(chosen[2].train())
    assert numbers(chosen[0].train()) != numbers(chosen[0].test())
    assert Subset(Fixed(), None).train() is not None and len(Subset(Fixed(), None).train()) == 100


def test_more_images_than_a_class_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="21 images of class 0 are wanted; it has 20"):
        Subset(Fixed(), 21).train()


@pytest.mark.parametrize("labelled", [True, False])
def test_a_split_holds_out_its_part_of_each_class(labelled: bool) -> None:
    rest, held = split(Fixed(labelled=labelled).train(), 0.25, seed=0)
    assert numbers(rest) | numbers(held) == set(range(100)) and not numbers(rest) & numbers(held)
    assert len(held) == 25
    if labelled:
        assert counts(held) == [5] * 5


def test_nothing_is_held_out_at_zero_and_impossible_fractions_are_named() -> None:
    rest, held = split(Fixed().train(), 0.0, seed=0)
    assert len(rest) == 100 and len(held) == 0
    for fraction, message in ((1.0, "is 1.0"), (-0.1, "is -0.1"), (0.001, "of 100 images a fraction of 0.001")):
        with pytest.raises(ConfigError, match=message):
            split(Fixed().train(), fraction, seed=0)


@pytest.mark.parametrize("ratio", [1.0, 0.1, 0.01])
def test_a_long_tail_shrinks_geometrically_to_its_ratio(ratio: float) -> None:
    tailed = LongTailed(Fixed(per_class=50), ratio)
    expected = [max(1, round(50 * ratio ** (c / 4))) for c in range(5)]
    assert counts(tailed.train()) == expected
    assert counts(tailed.test()) == [50] * 5


def test_what_needs_labels_says_so() -> None:
    for unlabelled in (Subset(Fixed(labelled=False), 3), LongTailed(Fixed(labelled=False), 0.5)):
        with pytest.raises(
            ConfigError, match=r"needs labels, and fixed has none; put the images into a folder per class"
        ):
            unlabelled.train()


@pytest.mark.parametrize("ratio", [0.0, 1.1])
def test_an_impossible_ratio_is_named(ratio: float) -> None:
    with pytest.raises(ConfigError, match=f"ratio is {ratio}"):
        LongTailed(Fixed(), ratio)


@pytest.mark.parametrize("kind", list(STRENGTHS))
@pytest.mark.parametrize("size", [32, 80])
def test_every_severity_distorts_more_than_the_one_before(kind: str, size: int) -> None:
    clean = ImageSet(photographs(6, size, size), None, (), "photographs")
    errors = [
        (corrupted(clean, kind, severity).images[:].float() - clean.images[:].float()).square().mean().item()
        for severity in range(1, 6)
    ]
    assert errors[0] > 0 and errors == sorted(errors) and len(set(errors)) == 5


def test_noise_has_its_deviation_and_contrast_its_factor() -> None:
    gray = ImageSet(torch.full((50, 3, 32, 32), 128, dtype=torch.uint8), None, (), "gray")
    noisy = corrupted(gray, "noise", 3).images[:].float() / 255
    assert noisy.std().item() == pytest.approx(0.08, rel=0.02)
    image = photographs(1)
    flat = corrupted(ImageSet(image, None, (), "one"), "contrast", 2).images[:].float()
    assert (flat.std(dim=(2, 3)) / image.float().std(dim=(2, 3))).numpy() == pytest.approx(
        np.full((1, 3), 0.5), rel=0.01
    )


def test_corruption_is_reproducible_and_leaves_the_training_images() -> None:
    source = Corrupted(Fixed(), "noise", 5, seed=3)
    assert torch.equal(source.test().images[:], source.test().images[:])
    assert torch.equal(source.train().images[:], Fixed().train().images[:])
    assert source.test().identity != Fixed().test().identity


@pytest.mark.parametrize(("kind", "severity", "message"), [("nois", 1, "did you mean 'noise'"), ("blur", 6, "is 6")])
def test_an_unknown_corruption_is_named(kind: str, severity: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Corrupted(Fixed(), kind, severity)


def nearest_neighbour_accuracy(train: ImageSet, test: ImageSet, features: list[torch.Tensor]) -> float:
    assert train.labels is not None and test.labels is not None
    nearest = torch.cdist(features[1], features[0]).argmin(dim=1)
    return (train.labels[nearest] == test.labels).double().mean().item()


def test_generated_classes_differ_in_shape_and_not_in_colour() -> None:
    source = Fake(size=32, classes=10, train_per_class=40, test_per_class=10)
    sets = source.train(), source.test()
    for images in sets:
        images.validate()
    gray = [images.images.float().mean(dim=1) for images in sets]
    spectra = [torch.fft.fft2(g - g.mean(dim=(1, 2), keepdim=True)).abs().flatten(1) for g in gray]
    shapes = nearest_neighbour_accuracy(*sets, [torch.nn.functional.normalize(s) for s in spectra])
    colours = nearest_neighbour_accuracy(*sets, [images.images.float().mean(dim=(2, 3)) for images in sets])
    assert shapes > 0.8
    assert colours < 0.25


def test_generated_images_depend_on_the_seed_alone() -> None:
    first, again, other = (Fake(16, 3, 4, 2, seed).train() for seed in (0, 0, 1))
    assert first.identity == again.identity != other.identity
    assert not torch.equal(Fake(16, 3, 4, 4).train().images[:], Fake(16, 3, 4, 4).test().images[:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"classes": 11}, "classes is 11"), ({"size": 0}, "size is 0"), ({"test_per_class": 0}, "0")],
)
def test_impossible_generated_sets_are_named(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Fake(**({"size": 8, "classes": 3, "train_per_class": 2, "test_per_class": 2} | settings))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), None, r"shape \(0, 3, 4, 4\)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), None, r"shape \(2, 1, 4, 4\)"),
        (torch.zeros(2, 3, 4, 4), None, "float32; they must be uint8"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0]), "1 labels for 2 images"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 2]), "a label is 2; there are 2 classes"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([-1, 1]), "a label is -1"),
    ],
)
def test_a_set_that_breaks_its_format_is_named(images: torch.Tensor, labels: torch.Tensor | None, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        ImageSet(images, labels, ("a", "b"), "set").validate()
