"""The alarm rings where features collapse, says why, and is silent elsewhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models.ssl.recipe import Recipe
from models.ssl.simsiam import SimSiam
from runs.errors import ConfigError
from runs.record.left_out import WARNING_FILE
from tasks.images.collapse_alarm import CollapseAlarm, likely_ingredients, symptoms
from tests.models.ssl.joint_recipes import PREDICTOR, PROJECTOR, RECIPES, TinyEncoder, build
from tests.tasks.images.noise_images import train


def built(name: str, **changes: object) -> Recipe:
    torch.manual_seed(1)
    return RECIPES[name](TinyEncoder(), **changes)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_whole_recipe_lacks_nothing(name: str) -> None:
    assert likely_ingredients(build(name)) == []


@pytest.mark.parametrize(
    ("name", "changes", "ingredient"),
    [
        ("simsiam", {"stop_gradient": False}, "stop-gradient"),
        ("simsiam", {"predictor": partial(PREDICTOR, layers=0)}, "predictor"),
        ("byol", {"predictor": partial(PREDICTOR, layers=0)}, "predictor"),
        ("vicreg", {"variance": 0.0}, "variance"),
        ("vicreg", {"covariance": 0.0}, "covariance"),
        ("barlow", {"redundancy": 0.0}, "redundancy"),
        ("dino", {"centering": False}, "centring"),
        ("dino", {"teacher_temperature": (1.0, 1.0)}, "sharpening"),
        ("swav", {"iterations": 0}, "Sinkhorn"),
    ],
)
def test_what_was_taken_away_is_named(name: str, changes: dict[str, object], ingredient: str) -> None:
    (found,) = likely_ingredients(built(name, **changes))
    assert ingredient in found


@pytest.mark.parametrize(
    ("ranks", "rings"),
    [
        ([22.4, 9.4, 6.7, 9.7, 12.4], False),  # MAE, measured: a dip in the warm-up
        ([26.7, 9.1, 9.6, 10.9, 12.0], False),  # I-JEPA, measured: low for two epochs, and growing
        ([16.7, 4.0, 5.1, 6.2, 6.8], False),  # data2vec, measured
        ([63.7, 55.5, 46.9, 47.1, 48.4], False),  # SimSiam, measured
        ([63.7, 20.3, 17.5, 17.5], True),  # neither predictor nor stop-gradient, measured
    ],
)
@pytest.mark.filterwarnings("ignore:collapse")
def test_a_rank_must_stay_low(tmp_path: Path, ranks: list[float], rings: bool) -> None:
    alarm = CollapseAlarm()
    history = SimpleNamespace(points={0: {"batch_rank_h": ranks[0]}}, signals={})
    task = SimpleNamespace(history=history, model=build("simsiam"))
    for epoch, rank in enumerate(ranks[1:]):
        history.signals = {"batch_rank_h": rank}
        place = {"is_global_zero": True, "default_root_dir": tmp_path, "should_stop": False}
        trainer = SimpleNamespace(num_training_batches=1, current_epoch=epoch, **place)
        alarm.on_train_batch_end(trainer, task, None, None, 0)
        history.points[epoch + 1] = history.signals
    assert alarm.rung is rings


def collapsing() -> SimSiam:
    torch.manual_seed(1)
    predictor = partial(PREDICTOR, layers=0)
    return SimSiam(TinyEncoder(), projector=PROJECTOR, predictor=predictor, stop_gradient=False)


def test_a_recipe_without_predictor_and_stop_gradient_collapses_and_is_stopped(tmp_path: Path) -> None:
    alarm = CollapseAlarm(stop=True)
    with pytest.warns(UserWarning, match="stop-gradient"):
        task = train(collapsing(), tmp_path, epochs=40, trainer={"callbacks": [alarm]})
    assert max(task.history.points) < 40
    message = (tmp_path / WARNING_FILE).read_text()
    assert message.startswith("collapse after epoch")
    assert "the predictor (model.predictor.layers=2)" in message and "training stops here" in message


def test_without_stop_it_rings_once_and_training_goes_on(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="collapse after epoch"):
        task = train(collapsing(), tmp_path, epochs=40, trainer={"callbacks": [CollapseAlarm()]})
    assert max(task.history.points) == 40


def test_a_sound_training_is_left_alone(tmp_path: Path) -> None:
    train(build("vicreg"), tmp_path, epochs=6, trainer={"callbacks": [CollapseAlarm(stop=True)]})
    assert not (tmp_path / WARNING_FILE).exists()


def test_a_fallen_rank_is_a_symptom_even_where_the_spread_is_good() -> None:
    now, before = {"batch_rank_h": 7.5, "batch_spread_h": 0.5}, {"batch_rank_h": 23.0}
    (found,) = symptoms(now, before, 0.5)
    assert "23.0 before training, 7.5 now" in found
    assert symptoms({**now, "batch_rank_h": 20.0}, before, 0.5) == []


@pytest.mark.parametrize(
    ("options", "message"), [({"rank_share": 0.0}, "rank_share is 0.0"), ({"patience": 0}, "patience is 0")]
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CollapseAlarm(**options)
