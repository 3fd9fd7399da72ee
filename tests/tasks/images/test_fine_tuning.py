"""Fine-tuning, probes on crops and LiDAR: protocols that run the encoder on new views."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from models.encoders.drop_path import DropPath
from models.ssl.parts.state.batch_norm import share_batch_norm
from runs.errors import ConfigError
from runs.local_processes import on_processes
from tasks.images.protocols.fine_tuning import FineTuning, _set_drop_path
from tasks.images.protocols.low_shot import LowShot
from tasks.images.protocols.one_process import OwnBatchNorm, copied_for_one_process
from tasks.images.protocols.sgd_probe import SGDProbe
from tasks.images.protocols.supervised_training import shuffled
from tasks.images.representation.lidar import LiDAR, lidar
from tests.tasks.images.tiny_images import TinyNet, TinyRecipe, tiny_data, tiny_parts, tiny_vit

BRIEF = FineTuning(epochs=2, batch_size=9, drop_path=0.2)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_fine_tuning_trains_a_copy_and_leaves_the_encoder_alone() -> None:
    encoder = TinyNet()
    parts = tiny_parts(encoder)
    before = weights(encoder).clone()
    tuned = BRIEF._tuned(parts, parts.images_of("test"), 1e-2)
    assert torch.equal(weights(encoder), before)
    assert all(not torch.equal(a, b) for a, b in zip(encoder.parameters(), tuned[0].parameters(), strict=True))  # type: ignore[index]
    assert encoder.training is False and tuned.training is False


def test_it_learns_the_colour_of_a_class() -> None:
    data = tiny_data()
    for name, images in data.sets.items():
        labels = images.labels
        assert labels is not None
        tint = 90 * torch.eye(3, dtype=torch.uint8)[labels][:, :, None, None]
        data.sets[name] = replace(images, images=images.images[:] // 4 + tint)
    parts = tiny_parts(TinyNet(), data)
    measured = FineTuning(epochs=15, batch_size=9, learning_rates=[1e-5, 0.3], decay=1.0, seed=1).evaluate(parts)
    assert measured["fine_tuned"] > 85  # of three classes
    assert measured["fine_tuned_lr"] == 0.3


def test_the_rate_is_chosen_on_validation_and_test_labels_change_no_weight_and_no_choice() -> None:
    parts = tiny_parts(TinyNet())
    labels = parts.test.labels
    assert labels is not None
    shifted = replace(parts, test=replace(parts.test, labels=(labels + 1) % 3))
    tuner = replace(BRIEF, learning_rates=[1e-6, 0.1])
    assert tuner.evaluate(shifted)["fine_tuned_lr"] == tuner.evaluate(parts)["fine_tuned_lr"]
    one, other = (tuner._tuned(each, each.images_of("test"), 0.1) for each in (parts, shifted))
    assert torch.equal(weights(one), weights(other))


def test_the_seed_decides_everything_and_the_callers_random_state_is_left_alone() -> None:
    parts = tiny_parts(tiny_vit())
    images = parts.images_of("test")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one = BRIEF._tuned(parts, images, 1e-3)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(weights(one), weights(BRIEF._tuned(parts, images, 1e-3)))
    assert not torch.equal(weights(one), weights(replace(BRIEF, seed=1)._tuned(parts, images, 1e-3)))


def test_paths_are_dropped_more_often_in_later_blocks() -> None:
    vit = copied_for_one_process(tiny_vit())
    _set_drop_path(vit, 0.2)
    assert [module.probability for module in vit.modules() if isinstance(module, DropPath)] == [0.0, 0.2]


def _tune_beside_another_rank(rank: int) -> torch.Tensor:
    encoder = share_batch_norm(TinyNet())
    parts = tiny_parts_of_rank_zero(encoder)
    if rank:
        return torch.empty(0)  # waits for nobody, and nobody waits for it
    return weights(BRIEF._tuned(parts, parts.images_of("test"), 1e-2))


def tiny_parts_of_rank_zero(encoder: torch.nn.Module):  # type: ignore[no-untyped-def]
    from tasks.images.protocols.features import FeatureParts, extract
    from tests.tasks.images.tiny_images import tiny_images

    data = tiny_data()
    features = [extract(encoder, data.clean_loader(split, 8)) for split in ("train", "validation", "test")]
    return FeatureParts(*features, classes=3, images=tiny_images(encoder, data))


def test_an_encoder_trained_with_shared_batch_norms_is_tuned_by_one_process_alone() -> None:
    alone, _ = on_processes(_tune_beside_another_rank)
    parts = tiny_parts_of_rank_zero(TinyNet())
    torch.testing.assert_close(alone, weights(BRIEF._tuned(parts, parts.images_of("test"), 1e-2)))


def test_a_copy_for_one_process_is_the_same_function() -> None:
    net = TinyNet().eval()
    with torch.no_grad():
        net.body[1].running_mean += 1
    copied = copied_for_one_process(share_batch_norm(TinyNet()).requires_grad_(False))
    copied.load_state_dict(net.state_dict())
    images = torch.rand(4, 3, 12, 12)
    assert torch.equal(copied.eval()(images), net(images))
    assert isinstance(copied.body[1], OwnBatchNorm)  # type: ignore[index, union-attr]
    assert all(parameter.requires_grad for parameter in copied.parameters())


def test_low_shot_fine_tuning_sees_the_chosen_images_only() -> None:
    parts = tiny_parts(TinyNet())
    rows = torch.tensor([1, 9, 20])
    few = parts.trained_on(rows)
    whole, chosen = parts.images_of("test").train, few.images_of("test").train
    assert torch.equal(chosen.images[:], whole.images[rows])  # type: ignore[index]
    assert torch.equal(chosen.labels, few.train.labels)  # type: ignore[arg-type]
    measured = LowShot(BRIEF, "fine_tuned", per_class=2, splits=2).evaluate(parts)
    assert 0 <= measured["low_shot"] <= 100


def test_the_probe_on_crops_is_trained_on_features_of_crops_of_the_frozen_encoder() -> None:
    encoder = TinyNet()
    parts = tiny_parts(encoder)
    probe = SGDProbe(epochs=1, batch_size=9, augment=True)
    images, before = parts.images_of("test"), weights(encoder).clone()
    seen = list(probe._epoch(parts)(0))
    for (h, labels), rows in zip(seen, shuffled(27, 9, 0, 0), strict=True):
        assert torch.equal(h, encoder(images.cropped(rows, 0, 0)).detach())
        assert torch.equal(labels, parts.train.labels[rows])  # type: ignore[index]
        assert not torch.allclose(h, parts.train.h[rows], atol=1e-3)
    assert 0 <= probe.evaluate(parts)["linear_sgd"] <= 100
    assert torch.equal(weights(encoder), before)


def test_lidar_is_that_of_the_views_of_every_image() -> None:
    recipe, data = TinyRecipe(), tiny_data()
    parts = tiny_parts(recipe, data)
    measured = LiDAR(images=10, views=6).evaluate(parts)
    images, rows = parts.images_of("test"), torch.arange(10)
    drawn = [images.viewed(images.train, rows, data.views, 0, number) for number in range(6)]
    h = torch.stack([recipe.encoder(view).detach() for view in drawn], 1)
    assert measured["lidar_h"] == pytest.approx(lidar(h), rel=1e-4)
    assert measured["lidar_z"] == pytest.approx(lidar(recipe.projector(h).detach()), rel=1e-4)
    assert not torch.allclose(drawn[0], drawn[1])


def test_bad_settings_are_refused() -> None:
    for settings, message in (
        ({"learning_rates": []}, r"fine_tuned\.learning_rates is \[\]"),
        ({"epochs": 0}, r"fine_tuned\.epochs is 0"),
        ({"warmup": math.nan}, r"fine_tuned\.warmup is nan"),
        ({"drop_path": 1.0}, r"fine_tuned\.drop_path is 1\.0"),
    ):
        with pytest.raises(ConfigError, match=message):
            FineTuning(**settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"lidar\.views is 1"):
        LiDAR(views=1)
    with pytest.raises(ConfigError, match="fine_tuned needs labels"):
        BRIEF.evaluate(tiny_parts(TinyNet(), tiny_data(labelled=False)))
