"""Low-shot splits are stratified, seeded and different, and change nothing but the training part."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

import pytest
import torch

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.low_shot import LowShot, stratified
from tasks.images.protocols.protocol import Protocol

LABELS = torch.tensor([0] * 200 + [1] * 100 + [2] * 10)


@dataclass(frozen=True)
class Recorder(Protocol):
    """Keeps what it is given; its metric is the sum of the training features."""

    seen: list[FeatureParts] = field(default_factory=list)

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        self.seen.append(parts)
        return {"sum": float(parts.train.h.sum())}


def whole() -> FeatureParts:
    h = torch.arange(310.0)[:, None]
    train = Features(h, LABELS, h + 1)
    return FeatureParts(train, train.rows(torch.arange(5)), train.rows(torch.arange(7)), classes=3)


def test_a_fraction_of_every_class_and_at_least_one_image() -> None:
    assert torch.bincount(LABELS[stratified(LABELS, 0, fraction=0.1)]).tolist() == [20, 10, 1]
    assert torch.bincount(LABELS[stratified(LABELS, 0, fraction=0.01)]).tolist() == [2, 1, 1]
    assert torch.equal(stratified(LABELS, 0, fraction=1.0), torch.arange(310))


def test_a_number_of_every_class_without_repetition() -> None:
    rows = stratified(LABELS, 3, number=4)
    assert torch.bincount(LABELS[rows]).tolist() == [4, 4, 4]
    assert len(rows.unique()) == 12


def test_the_seed_decides_the_choice() -> None:
    assert torch.equal(stratified(LABELS, 1, number=5), stratified(LABELS, 1, number=5))
    assert not torch.equal(stratified(LABELS, 1, number=5), stratified(LABELS, 2, number=5))


def test_mean_and_deviation_over_splits_of_the_training_part_alone() -> None:
    recorder, parts = Recorder(), whole()
    measured = LowShot(recorder, "sum", name="low_shot_4", per_class=4, splits=5, seed=2).evaluate(parts)
    sums = [float(given.train.h.sum()) for given in recorder.seen]
    assert len(set(sums)) == 5
    assert measured == pytest.approx({"low_shot_4": statistics.fmean(sums), "low_shot_4_std": statistics.stdev(sums)})
    for given in recorder.seen:
        assert given.validation is parts.validation and given.test is parts.test
        rows = given.train.h.flatten().long()
        assert torch.equal(given.train.labels, LABELS[rows]) and torch.equal(given.train.z.flatten(), rows + 1.0)  # type: ignore[union-attr, arg-type]


def test_bad_settings_and_missing_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match="set exactly one of them"):
        LowShot(Recorder(), "sum")
    with pytest.raises(ConfigError, match="set exactly one of them"):
        LowShot(Recorder(), "sum", fraction=0.1, per_class=1)
    with pytest.raises(ConfigError, match=r"fraction is 1\.5"):
        LowShot(Recorder(), "sum", fraction=1.5)
    with pytest.raises(ConfigError, match=r"low_shot\.metric is 'linear'; there are sum"):
        LowShot(Recorder(), "linear", per_class=1).evaluate(whole())
    with pytest.raises(ConfigError, match="11 images of class 2 are wanted; it has 10"):
        LowShot(Recorder(), "sum", per_class=11).evaluate(whole())
    bare = Features(torch.zeros(4, 2))
    with pytest.raises(ConfigError, match="protocol low_shot needs labels"):
        LowShot(Recorder(), "sum", per_class=1).evaluate(FeatureParts(bare, bare, bare, 0))
