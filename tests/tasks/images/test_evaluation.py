"""A run folder becomes numbers, whatever task trained it; bad ones are refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from omegaconf import OmegaConf

from runs.build import build
from runs.errors import ConfigError
from runs.record import instances
from runs.store.trained_run import TrainedRun
from runs.store.trusted import VARIABLE
from tasks.images.evaluation import CheckpointEvaluation
from tasks.images.protocols.extraction import Extraction
from tasks.images.protocols.knn import KNN
from tasks.images.protocols.linear_lbfgs import LinearLBFGS
from tasks.images.protocols.suite import Suite
from tests.composition import composed
from tests.tasks.images.tiny_images import HOST, TinyRecipe, tiny_data

HERE = "tests.tasks.images.tiny_images"
CONFIG = {
    "method": "simclr",
    "seed": 5,
    "model": {"_target_": f"{HERE}.TinyRecipe"},
    "data": {"_target_": f"{HERE}.tiny_data"},
}


@pytest.fixture(autouse=True)
def trusts_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "tests")


def suite() -> Suite:
    return Suite({"knn": KNN(k=3), "linear": LinearLBFGS()}, None, Extraction(None))


def run_folder(folder: Path, prefix: str = "model.", **changes: Any) -> Path:
    """A run whose recipe is that of seed 3, as Lightning leaves it, with something else of the task's."""
    (folder / "checkpoints").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create({**CONFIG, **changes}), folder / "config.yaml")
    state = {f"{prefix}{name}": value for name, value in TinyRecipe(seed=3).state_dict().items()}
    torch.save({"state_dict": {"probe.weight": torch.zeros(2), **state}}, folder / "checkpoints" / "last.ckpt")
    return folder


def evaluated(task: CheckpointEvaluation, folder: Path, **options: Any) -> dict[str, float]:
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder
    )
    (measured,) = trainer.test(task, verbose=False, **options)
    return dict(measured)


@pytest.mark.parametrize("prefix", ["model.", "recipe.", ""])
def test_a_folder_gives_the_numbers_of_its_weights_on_its_data(tmp_path: Path, prefix: str) -> None:
    run = run_folder(tmp_path / "run", prefix)
    measured = evaluated(CheckpointEvaluation(str(run), suite()), tmp_path / "out")
    expected = suite().evaluate(TinyRecipe(seed=3), tiny_data(), HOST, tmp_path)
    assert measured == pytest.approx(expected)
    (result,) = instances.load_all(tmp_path / "out")
    assert (result.name, result.method, result.seed) == ("fake/test", "simclr", 5)
    assert result.metrics == pytest.approx(expected)


def test_a_checkpoint_file_in_the_folder_and_other_data(tmp_path: Path) -> None:
    run, data = run_folder(tmp_path / "run"), tiny_data(seed=4)
    file = run / "checkpoints" / "last.ckpt"
    measured = evaluated(CheckpointEvaluation(str(file), suite()), tmp_path / "out", datamodule=data)
    assert measured == pytest.approx(suite().evaluate(TinyRecipe(seed=3), data, HOST, tmp_path))


def test_a_part_of_the_network_may_be_judged(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    task = CheckpointEvaluation(str(run), suite(), part="encoder")
    assert task.network.width == 16
    with pytest.raises(
        ConfigError, match=r"task\.part is 'teacher', which the network has not; it has encoder, projector"
    ):
        CheckpointEvaluation(str(run), suite(), part="teacher")


def test_nothing_of_the_network_is_trained(tmp_path: Path) -> None:
    task = CheckpointEvaluation(str(run_folder(tmp_path / "run")), suite())
    assert not any(parameter.requires_grad for parameter in task.parameters())


def test_bad_run_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="checkpoint is null; give checkpoint=RUN_FOLDER"):
        TrainedRun.at(None)
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        TrainedRun.at(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"has no config\.yaml"):
        TrainedRun.at(str(tmp_path))
    with pytest.raises(ConfigError, match="describes no model"):
        TrainedRun.at(str(run_folder(tmp_path / "search", model=None)))
    with pytest.raises(ConfigError, match="describes no data"):
        TrainedRun.at(str(run_folder(tmp_path / "no data", data=None))).data()
    untrained = run_folder(tmp_path / "untrained")
    (untrained / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"last\.ckpt does not exist: this run has trained nothing"):
        TrainedRun.at(str(untrained))
    torn = run_folder(tmp_path / "torn")
    (torn / "config.yaml").write_text("model: [")
    with pytest.raises(ConfigError, match=r"config\.yaml cannot be read"):
        TrainedRun.at(str(torn))


class Trap:
    """What a pickle must not run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was opened",))


def test_damaged_foreign_and_pickled_weights_are_refused(tmp_path: Path) -> None:
    def with_weights(name: str, content: bytes) -> str:
        folder = run_folder(tmp_path / name)
        (folder / "checkpoints" / "last.ckpt").write_bytes(content)
        return str(folder)

    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be read"):
        TrainedRun.at(with_weights("damaged", b"PK no")).model()
    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be read"):
        TrainedRun.at(with_weights("trap", pickle.dumps(Trap(), protocol=2))).model()
    other = run_folder(tmp_path / "other")
    torch.save({"state_dict": {"model.encoder.weight": torch.zeros(3)}}, other / "checkpoints" / "last.ckpt")
    with pytest.raises(ConfigError, match=r"does not fit the model of config\.yaml: .*Missing key"):
        TrainedRun.at(str(other)).model()
    torch.save([1], other / "checkpoints" / "last.ckpt")
    with pytest.raises(ConfigError, match="has no state_dict"):
        TrainedRun.at(str(other)).model()


@pytest.mark.parametrize("name", ["all", "quick", "label_free", "none"])
def test_every_set_of_protocols_of_the_configuration_can_be_built(name: str) -> None:
    config = composed("task=images/evaluation", f"task/protocols={name}", "+checkpoint=null")
    built = build(config.task, "protocols")
    assert isinstance(built, Suite)
    supervised = [each for each in built.protocols.values() if each.supervised]
    assert bool(supervised) == (name in ("all", "quick"))
    names = [each.name for each in built.protocols.values() if hasattr(each, "name")]
    assert len(set(names)) == len(names)
