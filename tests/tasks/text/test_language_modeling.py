"""Training a tiny language model: what is measured, and that an interrupted training is the undisturbed one."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from data.text.contiguous import ContiguousText
from models.text.language_model import TransformerLanguageModel
from runs.errors import ConfigError
from runs.record import instances
from runs.record.callbacks import KeepLast
from tasks.text.attention_curve import fall_and_stay
from tasks.text.language_model import LanguageModeling

STEPS, INTERVAL = 24, 4


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ContiguousText:
    """Words that follow from the two before, mostly: 9 batches an epoch."""
    rng = np.random.default_rng(3)
    words = [0, 1]
    while len(words) < 550:
        words.append((words[-1] + 2 * words[-2]) % 11 if rng.random() < 0.8 else int(rng.integers(11)))
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(" ".join(f"w{word}" for word in words))
    made = ContiguousText("tiny", 12, path=str(path), batch_size=4, context=12, evaluation_batches=2)
    made.setup()
    return made


def task(**options: Any) -> LanguageModeling:
    lightning.seed_everything(11, verbose=False)
    model = TransformerLanguageModel(12, 12, layers=2, width=16, heads=2, feed_forward=16, dropout=0.2)
    sgd = functools.partial(torch.optim.SGD, lr=0.5)
    return LanguageModeling(model, sgd, **{"feed_forward_ratio": 2.0, "map_steps": [0, 12]} | options)


class Die(lightning.Callback):
    """Ends training at the beginning of a batch or of a validation."""

    def __init__(self, hook: str, step: int) -> None:
        setattr(self, hook, functools.partial(self.die, step))

    @staticmethod
    def die(step: int, trainer: lightning.Trainer, *arguments: Any) -> None:
        if trainer.global_step == step:
            raise RuntimeError("died")


def trainer(folder: Path, *callbacks: lightning.Callback, **options: Any) -> lightning.Trainer:
    settings = {
        "max_epochs": -1,
        "max_steps": STEPS,
        "gradient_clip_val": 0.5,
        "val_check_interval": INTERVAL,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(
        **settings | options,
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=[KeepLast(0), *callbacks],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def state_of(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def trained(data: ContiguousText, tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguageModeling, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    made, fitter = task(), trainer(folder)
    fitter.fit(made, datamodule=data)
    fitter.test(made, datamodule=data, verbose=False)
    return made, folder


@pytest.mark.parametrize(
    ("hook", "step"),
    [("on_train_batch_start", step) for step in (1, 8, 9, 18)] + [("on_validation_start", step) for step in (12, 24)],
)
def test_training_that_died_continues_the_same_trajectory(
    data: ContiguousText, trained: tuple[LanguageModeling, Path], tmp_path: Path, hook: str, step: int
) -> None:
    with pytest.raises(RuntimeError, match="died"):
        trainer(tmp_path, Die(hook, step)).fit(task(), datamodule=data)
    resumed = task()
    trainer(tmp_path).fit(resumed, datamodule=data, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    undisturbed, folder = trained
    assert resumed.curve == undisturbed.curve
    assert resumed.maps.keys() == undisturbed.maps.keys()
    assert all(torch.equal(resumed.maps[key], undisturbed.maps[key]) for key in resumed.maps)
    one, other = state_of(tmp_path), state_of(folder)
    assert one["global_step"] == other["global_step"] == STEPS
    assert one["lr_schedulers"] == other["lr_schedulers"]
    weights = [name for name, value in one["state_dict"].items() if isinstance(value, torch.Tensor)]
    assert all(torch.equal(one["state_dict"][name], other["state_dict"][name]) for name in weights)
    assert torch.equal(one["random_state"]["torch"], other["random_state"]["torch"])


def test_the_curve_has_every_look_from_step_zero_on(trained: tuple[LanguageModeling, Path]) -> None:
    made, folder = trained
    assert sorted(made.curve) == list(range(0, STEPS + 1, INTERVAL))
    (result,) = instances.load_all(folder)
    assert result.log["step"].tolist() == sorted(made.curve)
    assert result.log["entropy_layer_2"].tolist() == [
        made.curve[step]["entropy_layer_2"] for step in sorted(made.curve)
    ]
    assert {path.name for path in (folder / "figures").iterdir()} == {"attention_maps.png", "entropy.png"}


def test_the_loss_reported_is_the_mean_over_the_whole_evaluation_text(
    data: ContiguousText, trained: tuple[LanguageModeling, Path]
) -> None:
    made, folder = trained
    (result,) = instances.load_all(folder)
    model = made.model.eval()
    losses = []
    for batch in data.test_dataloader():
        logits = model(batch[:, :-1])[0].log_softmax(-1)
        losses += [-logits[c, t, batch[c, t + 1]].item() for c in range(4) for t in range(12)]
    assert result.metrics["evaluation_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_text_that_repeats_itself_is_learnt(tmp_path: Path) -> None:
    (tmp_path / "cycle.txt").write_text("a b c d e f g h i j k " * 60)
    cycle = ContiguousText("cycle", 12, path=str(tmp_path / "cycle.txt"), batch_size=4, context=12)
    made = task(map_steps=[])
    trainer(tmp_path, max_steps=100, val_check_interval=100).fit(made, datamodule=cycle)
    assert made.curve[0]["evaluation_loss"] == pytest.approx(math.log(12), abs=0.2)
    assert made.curve[100]["evaluation_loss"] < 0.1


def test_the_two_rates_keep_their_ratio_and_decay_with_the_epochs(trained: tuple[LanguageModeling, Path]) -> None:
    _, folder = trained
    others, feed_forward = state_of(folder)["optimizer_states"][0]["param_groups"]
    epochs = 2  # 24 steps of 9 batches
    assert others["lr"] == pytest.approx(0.5 * 0.95**epochs)
    assert feed_forward["lr"] == pytest.approx(1.0 * 0.95**epochs)
    assert len(feed_forward["params"]) == 2 * 4


def test_every_weight_is_in_exactly_one_group() -> None:
    made = task()
    groups = made.configure_optimizers()["optimizer"].param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in made.parameters())


def test_fall_and_stay_are_read_off_the_halves_of_training() -> None:
    curve = {
        step: {"entropy_layer_1": a, "entropy_layer_2": b}
        for step, a, b in [(0, 1, 0.8), (4, 0.5, 0.5), (10, 0.4, 0.4)]
    }
    found = fall_and_stay(curve)
    assert found["entropy_fall"] == pytest.approx(0.4)
    assert found["late_change"] == pytest.approx(0.1 / 0.4)
    assert fall_and_stay({step: {"entropy_layer_1": 0.3} for step in (0, 5, 10)})["late_change"] == math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_check_interval": 7}, "step 12"),
        ({"max_steps": 26}, "step 26"),
        ({"check_val_every_n_epoch": 1}, "check_val_every_n_epoch null"),
        ({"num_sanity_val_steps": 2}, "num_sanity_val_steps must be 0"),
    ],
)
def test_a_trainer_that_would_miss_a_look_is_refused(
    data: ContiguousText, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(tmp_path, **options).fit(task(), datamodule=data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feed_forward_ratio": 0}, r"task\.feed_forward_ratio is 0"),
        ({"decay": -1}, r"task\.decay is -1"),
        ({"first_query": 12}, r"task\.first_query is 12"),
    ],
)
def test_settings_out_of_range_are_named(
    data: ContiguousText, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(tmp_path).fit(task(**options), datamodule=data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((5, 12), r"model\.vocabulary_size is 5, less than the 12 words"),
        ((12, 11), r"model\.context is 11, less than data\.context 12"),
    ],
)
def test_a_model_too_small_for_the_data_is_refused(
    data: ContiguousText, tmp_path: Path, sizes: tuple[int, int], message: str
) -> None:
    model = TransformerLanguageModel(*sizes, layers=1, width=8, heads=1, feed_forward=8)
    with pytest.raises(ConfigError, match=message):
        trainer(tmp_path).fit(LanguageModeling(model, torch.optim.SGD), datamodule=data)


def test_the_tables_are_as_large_as_a_text_of_ones_own_which_may_hold_formulas(tmp_path: Path) -> None:
    path = tmp_path / "paper.tex"
    path.write_text(r"price$1^$ $x_1 \frac{a \begin{b} % $$ " * 160, encoding="utf-8")
    texts = ContiguousText("tex", 5000, path=str(path), batch_size=4, context=8, evaluation_batches=1)
    model = TransformerLanguageModel(5000, 8, layers=1, width=16, heads=2, feed_forward=16)
    trained = LanguageModeling(model, functools.partial(torch.optim.SGD, lr=0.1), first_query=2, map_steps=[0, 4])
    run = trainer(tmp_path, max_steps=4)
    run.fit(trained, datamodule=texts)
    run.test(trained, datamodule=texts, verbose=False)
    assert model.vocabulary_size == len(texts.vocabulary) == 7
    assert {each.name for each in (tmp_path / "figures").iterdir()} == {"entropy.png", "attention_maps.png"}
    assert not (tmp_path / "warning.txt").exists()
