"""One run trains a network, the others wait for it; who dies or fails gives its claim back."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from runs.files import write_json
from runs.store.trained import Trained, file_of
from runs.store.trained_once import TrainedOnce
from runs.store.trained_run import TrainedRun

LINEAR = {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}
SETTINGS = json.dumps({"seed": 4, "model": LINEAR})


class LinearFit:
    """What a task shows of itself."""

    def __init__(self, loss: float = 0.5) -> None:
        self.layer, self.loss = torch.nn.Linear(3, 2), loss

    def trained(self) -> Trained:
        return Trained(self.layer.state_dict(), {"validation_loss": self.loss})

    def adopt(self, trained: Trained) -> None:
        self.layer.load_state_dict(dict(trained.weights))
        self.loss = trained.validation["validation_loss"]


def trainer(folder: Path) -> Any:
    strategy = SimpleNamespace(broadcast=lambda answer: answer)
    return SimpleNamespace(is_global_zero=True, strategy=strategy, should_stop=False, default_root_dir=str(folder))


def run_folder(folder: Path) -> Path:
    folder.mkdir()
    OmegaConf.save(OmegaConf.create({"method": "cost", "seed": 4, "model": LINEAR}), folder / "config.yaml")
    write_json(folder / "environment.json", {"revision": "abc"})
    return folder


def test_others_wait_and_adopt_what_the_first_trains(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    maker, waiter = (TrainedOnce("cost", SETTINGS, tmp_path / "cache") for _ in range(2))
    trained, waiting, adopted = LinearFit(), trainer(tmp_path), LinearFit(loss=9.0)
    maker.on_fit_start(trainer(run), trained)
    thread = threading.Thread(target=waiter.on_fit_start, args=(waiting, adopted))
    thread.start()
    time.sleep(0.2)
    assert adopted.loss == 9.0 and not waiting.should_stop
    maker.on_fit_end(trainer(run), trained)
    thread.join(timeout=10)
    assert waiting.should_stop and adopted.loss == 0.5
    assert torch.equal(adopted.layer.weight, trained.layer.weight)
    waiter.on_fit_end(None, None)  # what was adopted is not stored anew


def test_a_later_run_finds_it_with_its_configuration_and_whose_it_is(tmp_path: Path) -> None:
    run, cache = run_folder(tmp_path / "run"), tmp_path / "cache"
    maker, fit = TrainedOnce("cost", SETTINGS, cache), LinearFit()
    maker.on_fit_start(trainer(run), fit)
    maker.on_fit_end(trainer(run), fit)
    later = TrainedOnce("cost", SETTINGS, cache)
    found = later.load()
    assert found is not None and found.model == LINEAR and dict(found.validation) == {"validation_loss": 0.5}
    assert vars(found.made_by) == {"run": "run", "method": "cost", "seed": 4, "revision": "abc"}
    assert TrainedOnce("cost", json.dumps({"seed": 5, "model": LINEAR}), cache).load() is None
    later.keep(tmp_path / "search", found)
    kept = TrainedRun.at(tmp_path / "search" / file_of("cost"))
    assert kept.provenance.run == "run"  # not the one that only searched with it
    assert torch.equal(kept.model().weight, fit.layer.weight)


def test_a_training_that_fails_gives_its_claim_back(tmp_path: Path) -> None:
    first, second = (TrainedOnce("cost", SETTINGS, tmp_path) for _ in range(2))
    first.on_fit_start(trainer(tmp_path), None)
    first.on_exception(None, None, RuntimeError())
    fitting = trainer(tmp_path)
    second.on_fit_start(fitting, None)
    assert not fitting.should_stop
    second.on_exception(None, None, RuntimeError())


def test_without_a_cache_every_run_trains_its_own(tmp_path: Path) -> None:
    once, fitting = TrainedOnce("cost", SETTINGS), trainer(tmp_path)
    assert once.load() is None and once.key is None
    once.on_fit_start(fitting, LinearFit())
    once.on_fit_end(fitting, LinearFit())
    assert not fitting.should_stop


def test_a_training_of_ones_own_is_done_by_the_first_who_asks(tmp_path: Path) -> None:
    fits: list[LinearFit] = []

    def train() -> Trained:
        fits.append(LinearFit())
        time.sleep(0.3)
        return fits[-1].trained()

    got: list[Trained] = []

    def ask() -> None:
        got.append(TrainedOnce("cost", SETTINGS, tmp_path / "cache").get_or_train(train, tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(fits) == 1 and len(got) == 3
    assert all(torch.equal(each.weights["weight"], fits[0].layer.weight) for each in got)
    assert got[0].model == LINEAR


def test_the_training_of_ones_own_is_this_runs_alone_without_a_cache(tmp_path: Path) -> None:
    fit = LinearFit()
    got = TrainedOnce("cost", SETTINGS).get_or_train(fit.trained, tmp_path)
    assert torch.equal(got.weights["weight"], fit.layer.weight) and got.made_by.run == tmp_path.name


@pytest.mark.parametrize("model", [None, "policy"])
def test_settings_that_name_no_network_are_stored_without_one(model: Any, tmp_path: Path) -> None:
    once = TrainedOnce("cost", json.dumps({"model": model}), tmp_path)
    once.get_or_train(LinearFit().trained, tmp_path)
    found = once.load()
    assert found is not None and found.model is None
