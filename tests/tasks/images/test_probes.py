"""Probes trained by SGD on cached features."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from runs.errors import ConfigError, SolverFailure
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.probe_head import probe_head
from tasks.images.protocols.sgd_probe import SGDProbe
from tasks.images.protocols.supervised_training import shuffled, steps_at


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rings(images: int, seed: int) -> Features:
    """Two classes that only their radius tells apart."""
    labels = torch.randint(2, (images,), generator=torch.Generator().manual_seed(seed))
    return Features(functional.normalize(normal(images, 2, seed=seed), dim=1) * (1 + 2 * labels[:, None]), labels)


def clouds(images: int, seed: int) -> Features:
    labels = torch.randint(3, (images,), generator=torch.Generator().manual_seed(seed))
    return Features(3 * functional.one_hot(labels, 3) + normal(images, 3, seed=seed), labels)


def three(kind: object, classes: int) -> FeatureParts:
    return FeatureParts(kind(400, 1), kind(100, 2), kind(200, 3), classes)  # type: ignore[operator]


def test_a_linear_probe_separates_clouds_and_not_rings_where_an_mlp_does() -> None:
    linear = SGDProbe(epochs=20, batch_size=50)
    assert linear.evaluate(three(clouds, 3))["linear_sgd"] > 90
    assert linear.evaluate(three(rings, 2))["linear_sgd"] < 70
    mlp = SGDProbe(name="mlp", hidden=16, epochs=20, batch_size=50)
    assert mlp.evaluate(three(rings, 2))["mlp"] > 95


def test_the_head_has_two_layers_and_batch_norm_or_one_layer_begun_at_zero() -> None:
    assert [type(layer).__name__ for layer in probe_head(8, 3, hidden=5)] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    single = probe_head(8, 3, normalise=True)
    assert [type(layer).__name__ for layer in single] == ["BatchNorm1d", "Linear"]
    assert not list(single[0].parameters())  # no affine part
    assert torch.equal(single(normal(10, 8)), torch.zeros(10, 3))


def test_a_rate_trained_beside_others_ends_as_if_it_were_alone() -> None:
    parts = three(clouds, 3)
    together = SGDProbe(epochs=3, learning_rates=[0.3, 0.01], batch_size=64)._trained(parts)
    for rate, head in zip([0.3, 0.01], together, strict=True):
        (alone,) = SGDProbe(epochs=3, learning_rates=[rate], batch_size=64)._trained(parts)
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(head.state_dict()[name], value, msg=name)


def test_the_linear_probe_is_plain_sgd_with_momentum_and_steps() -> None:
    parts = three(clouds, 3)
    (head,) = SGDProbe(epochs=5, batch_size=100, learning_rates=[0.2])._trained(parts)
    weight, velocity = torch.zeros(3, 4), torch.zeros(3, 4)
    h = torch.cat([parts.train.h, torch.ones(400, 1)], 1)
    for epoch in range(5):
        for rows in shuffled(400, 100, 0, epoch):
            error = (h[rows] @ weight.T).softmax(1) - functional.one_hot(parts.train.labels[rows], 3)  # type: ignore[index]
            velocity = 0.9 * velocity + error.T @ h[rows] / 100
            weight -= (0.2 if epoch < 3 else 0.02 if epoch < 4 else 0.002) * velocity
    torch.testing.assert_close(torch.cat([head[0].weight, head[0].bias[:, None]], 1).detach(), weight)


def test_seeded_and_blind_to_validation_and_test_labels() -> None:
    parts = three(clouds, 3)
    wrong = [Features(part.h, (part.labels + 1) % 3) for part in (parts.validation, parts.test)]  # type: ignore[operator]
    probe = SGDProbe(name="mlp", hidden=6, epochs=2, batch_size=64)
    (one,), (other,) = probe._trained(parts), probe._trained(FeatureParts(parts.train, *wrong, classes=3))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    (reseeded,) = SGDProbe(hidden=6, epochs=2, batch_size=64, seed=1)._trained(parts)
    assert not torch.equal(one[0].weight, reseeded[0].weight)


def test_the_rate_is_chosen_on_the_validation_part_whatever_the_test_labels() -> None:
    parts = three(clouds, 3)
    probe = SGDProbe(epochs=2, batch_size=64, learning_rates=[1e-5, 0.1])
    one = probe.evaluate(parts)
    other = probe.evaluate(
        FeatureParts(parts.train, parts.validation, Features(parts.test.h, 2 - parts.test.labels), 3)
    )  # type: ignore[operator]
    assert one["linear_sgd_lr"] == other["linear_sgd_lr"]
    assert one["linear_sgd"] != other["linear_sgd"]


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    SGDProbe(name="mlp", hidden=4, epochs=1).evaluate(three(clouds, 3))
    assert torch.equal(torch.rand(1), expected)


def test_batches_cover_the_images_once_and_short_ends_are_left_out() -> None:
    assert [len(rows) for rows in shuffled(10, 4, 0, 0)] == [4, 4, 2]
    assert [len(rows) for rows in shuffled(9, 4, 0, 0)] == [4, 4]
    assert [len(rows) for rows in shuffled(3, 100, 0, 0)] == [3]
    assert sorted(torch.cat(shuffled(10, 4, 0, 0)).tolist()) == list(range(10))
    assert not torch.equal(shuffled(10, 10, 0, 0)[0], shuffled(10, 10, 0, 1)[0])


def test_the_rate_falls_at_its_milestones() -> None:
    rate = steps_at(0.6, 0.8)
    assert [rate(step, 10) for step in (0, 5, 6, 7, 8, 9)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_bad_settings_missing_labels_and_diverging_training_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"linear_sgd\.learning_rates is \[0\]"):
        SGDProbe(learning_rates=[0])
    with pytest.raises(ConfigError, match=r"mlp\.hidden is 0"):
        SGDProbe(name="mlp", hidden=0)
    parts = three(clouds, 3)
    with pytest.raises(ConfigError, match="linear_sgd needs labels"):
        SGDProbe().evaluate(FeatureParts(parts.train, parts.validation, Features(parts.test.h), 3))
    with pytest.raises(ConfigError, match="needs the encoder and the images"):
        SGDProbe(augment=True, epochs=1).evaluate(parts)
    with pytest.raises(SolverFailure, match="linear_sgd: the loss became nan in epoch 0; lower its learning rate"):
        SGDProbe(epochs=1, batch_size=50, learning_rates=[math.inf])._trained(parts)
