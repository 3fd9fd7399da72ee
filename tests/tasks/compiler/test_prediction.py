from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.compiler.base import Compiler
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.sources import Drawn
from data.compiler.views import CountsView
from models.compiler.losses import NormalisedValue
from models.compiler.predictor import CountsPredictor
from runs.errors import ConfigError
from solvers.compiler.replay import ranked
from tasks.compiler.prediction import IMPROVEMENT, PassPrediction, checksum
from tasks.compiler.prediction_data import TRAIN, VALIDATION, PredictionData
from tasks.compiler.pretrained import PretrainedPredictor
from tasks.pretrained import Pretrained

PIPELINES = (("default<O1>",), ("attr<minsize>", "default<O2>"), ("sroa", "instruction_combine"))


class Given:
    """A coreset of pipelines."""

    def find(self, compiler: Compiler) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(compiler.actions.index(name) for name in names) for names in PIPELINES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PredictionData:
    compiler, cache = LlvmliteCompiler(), str(tmp_path_factory.mktemp("cache"))
    view = CountsView(("autophase", "inst_count"))
    made = PredictionData(compiler, Given(), Drawn(12), Drawn(6, seed=1), view, cache, batch_size=5)
    made.setup()
    return made


def training(data: PredictionData, seed: int = 0, **trainer: Any) -> Pretrained:
    task = functools.partial(
        PassPrediction,
        loss=NormalisedValue(0.05),
        optimizer=functools.partial(torch.optim.Adam, lr=0.01),
        budget=2,
        warmup=2,
        seed=seed,
    )
    network = CountsPredictor(features=126, sequences=5, width=8)
    hardware = {"accelerator": "cpu", "precision": "32-true"}
    return Pretrained(network, data, task, {"max_epochs": 4} | trainer, hardware, seed)


def test_batches_show_programs_with_their_rewards(data: PredictionData) -> None:
    (views, rewards, places), *others = list(data.train_dataloader())
    assert views.shape == (5, 126) and rewards.shape == (5, 3) and len(others) == 2
    assert torch.allclose(rewards, torch.from_numpy(data.parts[TRAIN].rewards[places]).float())
    assert (views[:, 51] == 1).all()  # counts are over the number of instructions


def test_the_improvement_is_that_of_a_replay_by_the_scores(data: PredictionData) -> None:
    part = data.parts[VALIDATION]
    scores = np.random.default_rng(0).normal(size=part.rewards.shape)
    for budget in (1, 2, 3, 5):
        gained = []
        for row, reference, known in zip(scores, part.reference, part.trajectories, strict=True):
            left, least = budget, known[0].counts[0]
            for s in ranked(row):
                least = min(least, known[s].least(left))
                left -= min(left, known[s].applied)
            gained.append((reference - least) / reference)
        assert part.improvement(scores, budget) == pytest.approx(np.mean(gained))


def test_a_predictor_is_trained_and_scores_programs(data: PredictionData, tmp_path: Path) -> None:
    sequences = Given().find(data.compiler)
    scorer = PretrainedPredictor(training(data)).prepare(tmp_path, sequences, data.compiler)
    program = Drawn(1, seed=2).read(data.compiler).kept[0]
    scores = scorer(program)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    again = PretrainedPredictor(training(data)).prepare(tmp_path / "again", sequences, data.compiler)
    assert np.array_equal(again(program), scores)  # by its seed alone


def test_the_weights_that_are_kept_are_the_best_of_the_validations(data: PredictionData, tmp_path: Path) -> None:
    made = training(data)
    made.network(tmp_path)
    part = data.parts[VALIDATION]
    with torch.no_grad():
        scores = made.task.best_model(data.view.batch(part.seen))[:, :3].double().numpy()
    assert made.task.best[IMPROVEMENT] == pytest.approx(part.improvement(scores, 2))


def test_a_predictor_of_another_coreset_is_refused(data: PredictionData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another coreset"):
        PretrainedPredictor(training(data)).prepare(tmp_path, ((0,), (1,)), data.compiler)
    assert checksum(((0, 1),)) != checksum(((0,), (1,)))


def test_an_unknown_kind_of_counts_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no 'autofase'; did you mean 'autophase'"):
        CountsView(("autofase",))  # type: ignore[arg-type]
