"""The search for a recipe without labels: its plan, its rounds, and that the winner is trained as if alone."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch

from runs.errors import ConfigError
from runs.record import instances
from runs.record.left_out import WARNING_FILE
from tasks.images.successive_halving import SuccessiveHalving, rounds
from tests.models.ssl.joint_recipes import build
from tests.tasks.images.noise_images import NoiseImages, train


def test_a_candidate_that_cannot_be_judged_loses_and_is_named(tmp_path: Path) -> None:
    search(tmp_path, Judge({"SimCLR": 3.0, "BYOL": 4.0}))
    choice = json.loads((tmp_path / "choice.json").read_text())
    assert choice["recipe"] == "byol" and choice["rank_me_h"]["vicreg"] == 0
    assert (tmp_path / WARNING_FILE).read_text() == "vicreg after 1 epochs is left out: KeyError: 'VICReg'\n"


@pytest.mark.parametrize(
    ("settings", "plan"),
    [
        ((4, 1, 8, 2), [(4, 1), (2, 2), (1, 8)]),
        ((8, 1, 8, 2), [(8, 1), (4, 2), (2, 4), (1, 8)]),
        ((9, 2, 5, 3), [(9, 2), (3, 5), (1, 5)]),
        ((2, 5, 5, 2), [(2, 5), (1, 5)]),
    ],
)
def test_the_plan_halves_candidates_and_ends_with_one_that_has_all_epochs(settings: Any, plan: list) -> None:
    assert rounds(*settings) == plan


OPTIMIZER = partial(torch.optim.SGD, lr=1.6, momentum=0.9, weight_decay=0.1)


class Judge:
    """Rates recipes by a table and notes how often each was asked for."""

    def __init__(self, ratings: dict[str, float]) -> None:
        self.ratings, self.asked = ratings, list[str]()

    def check(self, model: Any, data: Any, where: str = "") -> None:
        pass

    def evaluate(self, model: Any, data: Any, device: Any, folder: Path) -> dict[str, float]:
        name = type(model).__name__
        self.asked.append(name)
        return {"rank_me_h": self.ratings[name]}


def search(folder: Path, judge: Judge) -> SuccessiveHalving:
    candidates = {name: {"model": build(name), "optimizer": OPTIMIZER} for name in ("simclr", "vicreg", "byol")}
    task = SuccessiveHalving(candidates, judge, judge, epochs=3, settings={"warmup": 0.5})  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, default_root_dir=folder
    )
    trainer.test(task, datamodule=NoiseImages(), verbose=False)
    return task


def test_the_best_goes_on_and_ends_bit_for_bit_as_if_trained_alone(tmp_path: Path) -> None:
    judge = Judge({"SimCLR": 3.0, "VICReg": 5.0, "BYOL": 4.0})
    task = search(tmp_path / "search", judge)
    assert judge.asked == ["SimCLR", "VICReg", "BYOL", "VICReg", "BYOL", "VICReg", "VICReg"]
    choice = json.loads((tmp_path / "search" / "choice.json").read_text())
    assert choice["recipe"] == "vicreg" and Path(choice["checkpoint"]).exists()
    alone = train(build("vicreg"), tmp_path / "alone", epochs=3).model.state_dict()
    chosen = task.candidates["vicreg"]["model"].state_dict()
    assert all(torch.equal(value, chosen[key]) for key, value in alone.items())


def test_every_candidate_has_a_row(tmp_path: Path) -> None:
    search(tmp_path, Judge({"SimCLR": 3.0, "VICReg": 5.0, "BYOL": 4.0}))
    rows = {result.method: result.metrics for result in instances.load_all(tmp_path)}
    assert {name: row["epochs"] for name, row in rows.items()} == {"simclr": 1, "vicreg": 3, "byol": 2}
    assert {name for name, row in rows.items() if row["chosen"]} == {"vicreg"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1}, "task.factor is 1"),
        ({"first_epochs": 0}, "task.first_epochs is 0"),
        ({"first_epochs": 9, "epochs": 8}, "task.epochs is 8; give at least 9"),
    ],
)
def test_bad_settings_are_named(options: dict[str, int], message: str) -> None:
    candidates: Any = {"a": {}, "b": {}}
    with pytest.raises(ConfigError, match=message):
        SuccessiveHalving(candidates, None, None, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="1 entries"):
        SuccessiveHalving({"a": {}}, None, None)  # type: ignore[arg-type]
