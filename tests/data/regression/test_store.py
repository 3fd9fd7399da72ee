"""Stored samples: made once, extended by what is missing, the same whoever makes them; and how they are cut and served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.regression.module import RegressionData
from data.regression.samples import ABSENT, Samples
from data.regression.store import SampleStore
from runs.errors import ConfigError, SolverFailure
from tests.data.regression.sources import Parabola, Sums


def store(cache: Path | None, count: int, source: Parabola | None = None, settings: str = "{}") -> SampleStore:
    return SampleStore(source or Parabola(), count, settings, cache)


def test_more_samples_make_only_what_is_missing_and_keep_those_there_are(tmp_path: Path) -> None:
    source = Parabola()
    few = store(tmp_path, 20, source).samples()
    assert sorted(source.made) == [0, 1, 2]
    more = store(tmp_path, 45, source).samples()
    assert sorted(source.made) == [0, 1, 2, 3, 4, 5]
    assert len(few) == 20 and len(more) == 45
    np.testing.assert_array_equal(more.inputs["x"][:20], few.inputs["x"])
    np.testing.assert_array_equal(more.targets, store(None, 45).samples().targets)


def test_a_damaged_shard_is_made_again(tmp_path: Path) -> None:
    first = store(tmp_path, 20).samples()
    damaged = next(tmp_path.rglob("1.artifact"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    source = Parabola()
    np.testing.assert_array_equal(store(tmp_path, 20, source).samples().targets, first.targets)
    assert source.made == [1]


def test_other_settings_or_another_identity_are_other_samples_and_presentation_is_none(tmp_path: Path) -> None:
    keys = {
        store(tmp_path, 8, Parabola(machine), settings).collection().folder  # type: ignore[union-attr]
        for machine, settings in (
            ("here", '{"source": {"seed": 0, "shown": 1}}'),
            ("here", '{"source": {"seed": 0, "shown": 2}}'),
            ("there", '{"source": {"seed": 0, "shown": 1}}'),
            ("here", '{"source": {"seed": 1, "shown": 1}}'),
        )
    }
    assert len(keys) == 3


def test_a_shard_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(SolverFailure, match="shard 2: ZeroDivisionError"):
        store(tmp_path, 30, Parabola(fails=2)).samples()


def test_samples_are_the_same_after_a_way_through_an_artifact() -> None:
    samples = Sums().shard(0)
    again = Samples.from_bytes(samples.to_bytes())
    assert again.inputs.keys() == samples.inputs.keys()
    np.testing.assert_array_equal(again.inputs["pieces"], samples.inputs["pieces"])
    np.testing.assert_array_equal(again.targets, samples.targets)


def test_three_parts_share_no_sample_and_are_all_of_them() -> None:
    data = RegressionData(store(None, 100), batch_size=16)
    data.setup()
    parts = [data.part(name).targets for name in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [80, 10, 10]
    whole = store(None, 100).samples().targets.astype(np.float32)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.sort(whole))


def test_a_test_store_replaces_the_third_part_and_leaves_the_others_as_they_are() -> None:
    plain, other = RegressionData(store(None, 100)), RegressionData(store(None, 100), test=store(None, 30))
    further = RegressionData(store(None, 100), others={"far": store(None, 12)})
    for data in (plain, other, further):
        data.setup()
    for name in ("train", "validation"):
        assert torch.equal(plain.part(name).targets, other.part(name).targets)
    assert [len(data.part("test")) for data in (plain, other, further)] == [10, 30, 10]
    assert further.judges == ["test", "far"] and len(further.part("far")) == 12


def test_batches_hold_what_all_samples_share_and_places_padded() -> None:
    data = RegressionData(SampleStore(Sums(), 40), batch_size=8)
    data.setup()
    batches = list(data.train_dataloader())
    assert len(batches) == 4
    for batch in batches:
        assert batch.inputs["values"].shape == (7, 1)
        assert batch.inputs["pieces"].shape == (8, 5) and int(batch.inputs["pieces"].min()) == ABSENT
        padded = torch.cat([batch.inputs["values"][:, 0], torch.zeros(1)])
        torch.testing.assert_close(padded[batch.inputs["pieces"]].sum(1), batch.targets)
    assert len(set(torch.cat([batch.places for batch in batches]).tolist())) == 32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": (0.8, 0.1)}, r"data\.shares is"),
        ({"shares": (0.8, 0.3, 0.1)}, "with the sum 1"),
        ({"batch_size": 0}, r"data\.batch_size is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RegressionData(store(None, 10), **settings)


def test_too_few_samples_are_refused_with_the_part_that_is_empty() -> None:
    with pytest.raises(ConfigError, match=r"data\.samples\.count is 3, which leaves none for"):
        RegressionData(store(None, 3)).setup()
    with pytest.raises(ConfigError, match="count is 0"):
        store(None, 0)


def test_a_long_collection_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data.regression.store.SAID_EVERY", -1.0)
    with caplog.at_level("INFO"):
        store(tmp_path, 8).samples()
    assert "shards of samples are made" in caplog.text
