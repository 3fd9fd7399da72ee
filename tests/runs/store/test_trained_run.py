"""What was trained is opened from a run, a file, a row of a sweep or an artifact; everything else is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from runs.errors import ConfigError
from runs.files import write_json
from runs.store.cache import ArtifactCache
from runs.store.trained import Provenance, Trained, file_of
from runs.store.trained_run import TrainedRun

NETWORK = {
    "_target_": "torch.nn.Sequential",
    "_args_": [{"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}, {"_target_": "torch.nn.ReLU"}],
}


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU())


def run_folder(folder: Path, seed: int = 0, method: str = "mine", weights: bool = True) -> Path:
    """As a run of ``task`` leaves it, whose network's weights are of ``seed``."""
    (folder / "checkpoints").mkdir(parents=True)
    config = {"method": method, "seed": seed, "model": NETWORK, "trainer": {"max_epochs": 3}}
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    write_json(folder / "environment.json", {"revision": "abc", "packages": {}})
    if weights:
        state = {f"net.{name}": value for name, value in network(seed).state_dict().items()}
        torch.save({"state_dict": {**state, "probe.weight": torch.zeros(1)}}, folder / "checkpoints" / "last.ckpt")
    return folder


def keep(folder: Path, seed: int, name: str = "cost", **more: Any) -> Path:
    path = folder / file_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Trained(network(seed).state_dict(), {"loss": 0.5}, **more).to_bytes())
    return path


def assert_weights(run: TrainedRun, seed: int) -> None:
    ours, theirs = run.model(), network(seed)
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert not ours.training and not any(parameter.requires_grad for parameter in ours.parameters())


def test_a_run_folder_gives_its_last_checkpoint_configuration_and_provenance(tmp_path: Path) -> None:
    run = TrainedRun.at(run_folder(tmp_path / "run", seed=3))
    assert_weights(run, 3)
    assert run.config["trainer"] == {"max_epochs": 3}
    assert run.provenance == Provenance("run", "mine", 3, "abc")


def test_a_file_in_a_run_folder(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", seed=3)
    first = folder / "checkpoints" / "epoch=1.ckpt"
    torch.save({"state_dict": {f"model.{name}": value for name, value in network(7).state_dict().items()}}, first)
    assert_weights(TrainedRun.at(first), 7)
    assert TrainedRun.at(first).provenance.seed == 3


def test_what_a_training_kept_stands_before_its_last_step(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", seed=3)
    keep(folder, 5, model=NETWORK)
    assert_weights(TrainedRun.at(folder), 5)
    assert dict(TrainedRun.at(folder).trained().validation) == {"loss": 0.5}
    keep(folder, 6, name="other", model=NETWORK)
    assert_weights(TrainedRun.at(folder, name="other"), 6)
    with pytest.raises(ConfigError, match=r"kept several networks; give one of the files cost\.pt, other\.pt"):
        TrainedRun.at(folder)


def test_a_kept_file_says_its_network_wherever_it_lies(tmp_path: Path) -> None:
    path = keep(tmp_path / "elsewhere", 5, model=NETWORK, made_by=Provenance("run", "mine", 3, "abc"))
    assert_weights(TrainedRun.at(path), 5)
    assert TrainedRun.at(path).provenance == Provenance("run", "mine", 3, "abc")


def test_a_kept_file_without_a_configuration_is_of_its_runs_network(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", seed=3, weights=False)
    keep(folder, 5)
    assert_weights(TrainedRun.at(folder), 5)
    with pytest.raises(ConfigError, match=r"cost\.pt holds no network that says how it is built; give the folder"):
        TrainedRun.at(keep(tmp_path / "elsewhere", 5)).model()


def test_weights_may_be_of_a_part_of_the_network(tmp_path: Path) -> None:
    last = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
    whole = {"_target_": "torch.nn.Sequential", "_args_": [NETWORK, last]}
    assert_weights(TrainedRun.at(keep(tmp_path, 5, model=whole)), 5)


def sweep(folder: Path) -> Path:
    for method in ("mine", "theirs"):
        for seed in (0, 1):
            run_folder(folder / f"{method}{seed}", seed=seed, method=method)
    run_folder(folder / "baseline", method="baseline", weights=False)
    (folder / ".submitit").mkdir()
    return folder


def test_a_row_and_a_seed_choose_the_run_of_a_sweep(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "a sweep")
    run = TrainedRun.at({"sweep": str(folder), "method": "theirs", "seed": 1})
    assert_weights(run, 1)
    assert run.provenance == Provenance("theirs1", "theirs", 1, "abc")
    alone = tmp_path / "alone"
    run_folder(alone / "run", seed=2)
    run_folder(alone / "baseline", method="baseline", weights=False)
    for checkpoint in (alone, {"sweep": alone}, {"sweep": alone, "seed": 2}, {"sweep": alone, "method": "mine"}):
        assert TrainedRun.at(checkpoint).provenance.run == "run"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({}, r"4 runs of .* have trained something; choose one .* there are mine \(seed 0, 1\); theirs \(seed 0, 1\)"),
        ({"method": "mine"}, "2 runs of .* have trained something"),
        ({"method": "ours"}, r"no run of .* has trained method ours; there are mine \(seed 0, 1\)"),
        ({"method": "mine", "seed": 7}, "no run of .* has trained method mine, seed 7"),
        ({"method": "baseline"}, "no run of .* has trained method baseline"),
    ],
)
def test_a_choice_that_is_none_lists_what_there_is(tmp_path: Path, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainedRun.at({"sweep": sweep(tmp_path / "sweep"), **choice})


def test_two_runs_of_one_row_and_seed_are_named(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "sweep")
    run_folder(folder / "mine0 again", seed=0)
    with pytest.raises(
        ConfigError, match=r"2 runs .* are method mine, seed 0; give the folder of one: mine0, mine0 again"
    ):
        TrainedRun.at({"sweep": folder, "method": "mine", "seed": 0})


def test_an_artifact_is_opened_by_its_key(tmp_path: Path) -> None:
    artifacts = ArtifactCache(tmp_path).collection("cost", {"seed": 4})
    artifacts.put("cost", Trained(network(5).state_dict(), {}, NETWORK, Provenance("run", "mine", 4, "abc")).to_bytes())
    run = TrainedRun.at({"key": artifacts.folder.name, "cache": str(tmp_path)})
    assert_weights(run, 5)
    assert run.provenance.seed == 4 and run.config == {"seed": 4}


def test_an_artifact_from_before_configurations_were_stored_is_of_the_network_in_its_settings(tmp_path: Path) -> None:
    artifacts = ArtifactCache(tmp_path).collection("policy", {"model": NETWORK})
    torch.save({"policy": network(5).state_dict(), "validation": {"loss": 1.0}}, tmp_path / "earlier.pt")
    artifacts.put("policy", (tmp_path / "earlier.pt").read_bytes())
    assert_weights(TrainedRun.at({"key": artifacts.folder.name, "cache": tmp_path}, name="policy"), 5)


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ({"key": "abc", "cache": None}, r"checkpoint\.cache is null; set it to paths\.cache"),
        ({"key": "abc", "cache": "nowhere"}, "nowhere holds no whole network abc"),
        ({"sweep": "nowhere"}, r"checkpoint\.sweep: .*nowhere does not exist"),
        ({"folder": "x"}, r"checkpoint is \{'folder': 'x'\}; give a path, \{sweep: FOLDER"),
        ({"key": "a", "sweep": "b"}, "give a path"),
        ("nowhere", "nowhere does not exist; give the folder of a run"),
    ],
)
def test_what_names_nothing_is_one_line(
    checkpoint: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        TrainedRun.at(checkpoint)


def test_a_truncated_file_and_one_of_something_else_are_refused_by_name(tmp_path: Path) -> None:
    path = keep(tmp_path, 5, model=NETWORK)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"cost\.pt is no checkpoint that can be read"):
        TrainedRun.at(path)
    for content in (
        [1],
        {"weights": 3},
        {"weights": {3: torch.zeros(1)}, "validation": {}, "model": None, "made_by": {}},
        {"weights": {}, "validation": {}, "model": [1], "made_by": {}},
        {"state_dict": {}},
    ):
        torch.save(content, path)
        with pytest.raises(ConfigError, match=r"cost\.pt holds no network; give a run that trained one"):
            TrainedRun.at(path)


def test_weights_of_another_network_are_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "cost.pt"
    path.write_bytes(Trained({"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)}, model=NETWORK).to_bytes())
    with pytest.raises(ConfigError, match=r"cost\.pt does not fit its model.*\[2, 4\].*\[2, 3\]"):
        TrainedRun.at(path).model()
    path.write_bytes(Trained({"weight": torch.zeros(2, 3)}, model=NETWORK).to_bytes())
    with pytest.raises(ConfigError, match=r"does not fit its model.*Missing key.*0\.weight"):
        TrainedRun.at(path).model()
    path.write_bytes(Trained({}, model={"_target_": "data.download.DataFile", "path": "x"}).to_bytes())
    with pytest.raises(ConfigError, match="a DataFile, no network"):
        TrainedRun.at(path).model()


def test_a_hostile_configuration_in_a_kept_file_is_refused_too(tmp_path: Path) -> None:
    hostile = {"_target_": "runs.files.write_json", "path": str(tmp_path / "ran"), "value": 1}
    with pytest.raises(ConfigError, match=r"cost\.pt: model\._target_ is runs\.files\.write_json"):
        TrainedRun.at(keep(tmp_path, 5, model=hostile)).model()
    assert not (tmp_path / "ran").exists()


def test_data_of_a_record_are_read_and_never_fetched(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run")
    source = {"_target_": "data.download.DataFile", "path": str(tmp_path / "x"), "url": "http://x", "sha256": "0"}
    OmegaConf.save(OmegaConf.create({"model": NETWORK, "data": source}), folder / "config.yaml")
    assert TrainedRun.at(folder).data().url is None
