"""Every layer of the projector is judged as if it were h."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch

from models.ssl.parts.heads import Projector
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.knn import KNN
from tasks.images.protocols.projector_layers import ProjectorLayers


def features(rows: int, seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    return Features(torch.eye(3)[labels] @ torch.ones(3, 6) + torch.randn(rows, 6, generator=generator), labels)


def parts(projector: Any) -> FeatureParts:
    images: Any = SimpleNamespace(projector=projector)
    return FeatureParts(features(60, 0), features(12, 1), features(30, 2), 3, images)


def test_each_layer_has_the_accuracy_of_its_outputs() -> None:
    torch.manual_seed(0)
    projector = Projector(6, 8, 4, layers=2).eval()
    whole = parts(projector)
    found = ProjectorLayers(KNN(k=5)).evaluate(whole)
    assert set(found) == {"knn_layer_1", "knn_layer_2", "knn_lost_in_projector"}
    assert found["knn_lost_in_projector"] == KNN(k=5).evaluate(whole)["knn"] - found["knn_layer_2"]
    with torch.no_grad():
        z = {
            name: Features(projector(getattr(whole, name).h), getattr(whole, name).labels) for name in ("train", "test")
        }
    assert found["knn_layer_2"] == KNN(k=5).evaluate(replace(whole, **z))["knn"]


def test_without_layers_there_is_nothing_to_judge() -> None:
    assert ProjectorLayers(KNN(k=5)).evaluate(parts(Projector(6, 8, 4, layers=0))) == {}
    assert ProjectorLayers(KNN(k=5)).evaluate(parts(None)) == {}
    assert ProjectorLayers(KNN(k=5)).evaluate(replace(parts(None), images=None)) == {}
