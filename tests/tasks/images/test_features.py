"""Features are those of the encoder, in the order of the images, made once per checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from runs.errors import ConfigError, SolverFailure
from runs.local_processes import on_processes
from tasks.images.protocols.extraction import Extraction
from tasks.images.protocols.features import FeatureParts, extract
from tasks.images.protocols.identity import network_digest
from tasks.images.protocols.ranks import Ranks
from tests.tasks.images.tiny_images import TinyNet, TinyRecipe, tiny_data, tiny_images, tiny_vit


def made(model: nn.Module, cache: Path | None, half: bool = False, batch_size: int = 8, **data: int) -> FeatureParts:
    images = tiny_data(**data)  # type: ignore[arg-type]
    parts = Extraction(cache, batch_size, half).parts(tiny_images(model, images), images, Ranks())
    assert parts is not None
    return parts


def test_features_are_the_encoders_of_clean_images_in_order() -> None:
    recipe, data = TinyRecipe().eval(), tiny_data()
    parts = made(recipe, None)
    for name in ("train", "validation", "test"):
        split = data.clean(name)
        images = (split.images.float() / 255 - 0.5) / 0.25  # type: ignore[union-attr]
        h = recipe.encoder(images)
        features = getattr(parts, name)
        torch.testing.assert_close(features.h, h.detach(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(features.z, recipe.projector(h).detach(), rtol=1e-5, atol=1e-6)
        assert torch.equal(features.labels, split.labels)
    assert parts.classes == 3


def test_the_encoder_runs_in_evaluation_mode_and_every_module_keeps_its_mode() -> None:
    net = TinyNet().train()
    net.body[1].eval()
    before = net.body[1].running_mean.clone()
    loader = tiny_data().clean_loader("train", 8)
    features = extract(net, loader)
    assert net.training and net.body[0].training and not net.body[1].training
    assert torch.equal(net.body[1].running_mean, before)
    assert torch.equal(features.h, extract(net.eval(), loader).h)
    assert not features.h.requires_grad


def test_autocast_around_the_call_changes_nothing() -> None:
    net, loader = TinyNet().eval(), tiny_data().clean_loader("test", 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = extract(net, loader)
    assert torch.equal(inside.h, extract(net, loader).h)


def test_batches_of_any_size_give_the_same_features() -> None:
    torch.testing.assert_close(
        made(TinyNet(), None, batch_size=1).train.h, made(TinyNet(), None, batch_size=99).train.h
    )


def test_features_that_are_not_finite_and_empty_loaders_are_refused() -> None:
    net = TinyNet().eval()
    nn.init.constant_(net.body[1].bias, math.nan)
    with pytest.raises(ConfigError, match="features h: 15 of 15 images have NaN or infinite features"):
        extract(net, tiny_data().clean_loader("test", 8))
    with pytest.raises(ConfigError, match="no image to extract features of"):
        extract(net, [])


def test_float16_rounds_and_names_what_overflows() -> None:
    net, loader = TinyNet().eval(), tiny_data().clean_loader("test", 8)
    exact, rounded = extract(net, loader).h, extract(net, loader, half=True).h
    assert torch.equal(rounded, exact.half().float())
    nn.init.constant_(net.body[1].bias, 1e6)
    with pytest.raises(ConfigError, match="keep features in float32"):
        extract(net, loader, half=True)


@pytest.mark.parametrize("half", [False, True])
def test_a_checkpoint_runs_over_the_images_once(tmp_path: Path, half: bool) -> None:
    first, again = TinyRecipe(), TinyRecipe()
    one = made(first, tmp_path, half)
    other = made(again, tmp_path, half)
    assert first.encoder.calls > 0
    assert again.encoder.calls == 0
    for name in ("train", "validation", "test"):
        a, b = getattr(one, name), getattr(other, name)
        assert torch.equal(a.h, b.h) and torch.equal(a.z, b.z) and torch.equal(a.labels, b.labels)


def test_other_weights_images_or_rounding_are_other_features(tmp_path: Path) -> None:
    made(TinyNet(), tmp_path)
    for model, change in ((TinyNet(seed=1), {}), (TinyNet(), {"seed": 1}), (TinyNet(), {"half": True})):
        made(model, tmp_path, **change)  # type: ignore[arg-type]
        assert model.calls > 0, change


def test_damaged_features_are_made_again(tmp_path: Path) -> None:
    expected = made(TinyNet(), tmp_path).train.h
    for path in tmp_path.rglob("*.artifact"):
        path.write_bytes(path.read_bytes()[:-7])
    model = TinyNet()
    assert torch.equal(made(model, tmp_path).train.h, expected)
    assert model.calls > 0


def test_images_without_labels_have_features_without_labels_also_from_the_cache(tmp_path: Path) -> None:
    for _ in range(2):
        parts = made(TinyNet(), tmp_path, labelled=False)
        assert parts.train.labels is None and parts.classes == 0


def test_the_digest_sees_weights_buffers_and_settings_and_not_the_mode() -> None:
    digest = network_digest(TinyNet())
    assert network_digest(TinyNet().eval()) == digest
    weight, buffer, vit = TinyNet(), TinyNet(), tiny_vit()
    with torch.no_grad():
        weight.body[0].weight[0, 0, 0, 0] += 1e-6
        buffer.body[1].running_var[3] += 1e-6
    assert len({digest, network_digest(weight), network_digest(buffer)}) == 3
    before = network_digest(vit)
    vit.pool = "mean"  # no weight changes with it
    assert network_digest(vit) != before


def _on_rank(rank: int, folder: str) -> dict[str, Any]:
    recipe, data, ranks, told = TinyRecipe(), tiny_data(), Ranks(), {}
    for attempt in ("made", "kept"):
        parts = Extraction(folder, batch_size=8).parts(tiny_images(recipe, data), data, ranks)
        if parts is not None:
            told[attempt] = {"h": parts.train.h, "z": parts.test.z, "labels": parts.train.labels}
    told |= {"calls": recipe.encoder.calls, "first": ranks.from_first(lambda: rank + 7)}
    try:
        ranks.from_first(lambda: 1 // 0)
    except (ZeroDivisionError, SolverFailure) as error:
        told["error"] = f"{type(error).__name__}: {error}"
    return told


def test_two_processes_extract_each_a_part_and_the_first_has_what_one_process_has(tmp_path: Path) -> None:
    first, second = on_processes(lambda rank: _on_rank(rank, str(tmp_path)))
    expected = made(TinyRecipe(), None)
    for attempt in ("made", "kept"):
        torch.testing.assert_close(first[attempt]["h"], expected.train.h)
        torch.testing.assert_close(first[attempt]["z"], expected.test.z)
        assert torch.equal(first[attempt]["labels"], expected.train.labels)
        assert attempt not in second
    assert first["calls"] == second["calls"] == 2 + 1 + 1  # of 4, 2 and 2 batches, and none when they are kept
    assert first["first"] == second["first"] == 7
    assert first["error"].startswith("ZeroDivisionError")
    assert second["error"].startswith("SolverFailure: the first process could not evaluate: ZeroDivisionError")
