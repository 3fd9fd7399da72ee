"""Networks of a search: trained in the first run that needs them, kept in its folder, taken from there by others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.sharding.table_law import law_tables
from runs.build import build
from runs.errors import ConfigError
from runs.store.trained import Trained, file_of
from solvers.sharding.predicted import PredictedCosts
from tasks.sharding.pretrained import PretrainedCosts
from tests.composition import composed

NAMES = ("compute_cost", "backward_cost", "forward_cost")
BRIEF = [
    "learning.compute={samples:200,epochs:2}",
    "learning.communication={samples:200,epochs:2}",
    *(f"model.{part}.data.batch_size=32" for part in ("compute", "backward", "forward")),
    *(f"model.{part}.data.samples.source.per_shard=200" for part in ("compute", "backward", "forward")),
    "data.pool.count=40",
]


def costs(cache: Path | None, *overrides: str) -> PretrainedCosts:
    place = "null" if cache is None else str(cache)
    cfg = composed("experiment=neuroshard/table_main_small", *BRIEF, f"paths.cache={place}", *overrides)
    return build(cfg, "model")


def predictions(model: PredictedCosts) -> list[np.ndarray]:
    tables, pieces = law_tables(5, seed=7), np.arange(5)
    described = model.describe(tables, pieces, np.full(5, 16))
    sums, start = np.array([[10.0, 20.0, 30.0, 40.0]]), np.array([[0.0, 1.0, 2.0, 3.0]])
    return [
        model.fused(*described, np.zeros(5, np.int64)),
        model.backward_communication(tables, sums),
        model.forward_communication(tables, sums, start),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """A folder in which three networks were trained, and what they predict."""
    folder = tmp_path_factory.mktemp("run")
    return folder, predictions(costs(folder / "cache").prepare(folder, 4))


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_all_three_are_kept_in_the_folder_and_the_next_run_takes_them_from_the_cache(
    run: tuple[Path, list[np.ndarray]], tmp_path: Path
) -> None:
    folder, found = run
    assert all((folder / file_of(name)).is_file() for name in NAMES)
    assert same(predictions(costs(folder / "cache").prepare(tmp_path, 4)), found)
    assert not (tmp_path / "pretraining").exists()
    assert all((tmp_path / file_of(name)).is_file() for name in NAMES)


def test_another_seed_another_device_and_other_features_are_other_networks(run: tuple[Path, list[np.ndarray]]) -> None:
    folder, _ = run
    keys = {
        tuple(training.task.once.key for training in costs(folder / "cache", *overrides).trainings.values())
        for overrides in ([], ["seed=1"], ["data/device=nvlink"], ["learning.features=authors"])
    }
    assert len(keys) == 4
    assert len({key[1] for key in keys}) == 3, "features are nothing to communication"


def test_networks_of_a_run_are_taken_from_its_folder_all_or_some(
    run: tuple[Path, list[np.ndarray]], tmp_path: Path
) -> None:
    folder, found = run
    model = costs(None, f"model.run={folder}").prepare(tmp_path, 4)
    assert same(predictions(model), found)
    assert not (tmp_path / "pretraining").exists()
    mixed = predictions(costs(None, f"+model.run.compute={folder}", "seed=1").prepare(tmp_path / "mixed", 4))
    assert np.array_equal(mixed[0], found[0]) and not np.array_equal(mixed[1], found[1])


def altered(folder: Path, to: Path, name: str, **changes: Any) -> Path:
    """A copy of a run's networks in which the configuration of one is another."""
    for each in NAMES:
        kept = Trained.from_bytes((folder / file_of(each)).read_bytes(), "it")
        model: Any = kept.model
        if each == name:
            model = {**model, "network": {**model["network"], **changes}}
        path = to / file_of(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Trained(kept.weights, kept.validation, model).to_bytes())
    return to


def test_networks_for_another_number_of_devices_direction_or_order_of_features_are_refused(
    run: tuple[Path, list[np.ndarray]], tmp_path: Path
) -> None:
    folder, _ = run
    with pytest.raises(ConfigError, match="for 4 devices, and the task has 8"):
        costs(None, f"model.run={folder}").prepare(tmp_path, 8)
    names = list(torch.load(folder / file_of("compute_cost"), weights_only=True)["model"]["network"]["features"])
    other = altered(folder, tmp_path / "order", "compute_cost", features=names[::-1])
    with pytest.raises(ConfigError, match="none of authors, log, load, sized has these"):
        costs(None, f"model.run={other}").prepare(tmp_path, 4)
    with pytest.raises(ConfigError, match="give the folder of a finished run"):
        costs(None, f"+model.run.forward={tmp_path / 'empty'}").prepare(tmp_path, 4)
