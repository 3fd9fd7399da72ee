"""Settings are chosen without a look at the test part."""

from __future__ import annotations

import torch

from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.knn import KNN
from tasks.images.protocols.on_validation import OnValidation


def features(seed: int, images: int = 40) -> Features:
    draws = torch.Generator().manual_seed(seed)
    return Features(torch.randn(images, 4, generator=draws), torch.randint(3, (images,), generator=draws))


def test_the_validation_part_takes_the_place_of_the_test_part() -> None:
    train, validation = features(0), features(1)
    knn = KNN(name="knn", k=5, temperature=0.07)
    unseen = Features(torch.full((4, 4), torch.nan), torch.zeros(4, dtype=torch.long))
    found = OnValidation(knn).evaluate(FeatureParts(train, validation, unseen, classes=3))
    assert found == {"validation_knn": knn.evaluate(FeatureParts(train, unseen, validation, classes=3))["knn"]}
