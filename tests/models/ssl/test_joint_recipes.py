"""All joint-embedding recipes: they learn, targets do not, state survives, two processes are one."""

from __future__ import annotations

import pytest
import torch

from models.ssl.byol import BYOL
from models.ssl.parts.state.batch_norm import share_batch_norm
from models.ssl.recipe import Moment
from models.ssl.simsiam import SimSiam
from models.ssl.spectral import SpectralContrastive
from models.ssl.tico import TiCo
from runs.errors import ConfigError
from runs.local_processes import on_processes
from tests.models.ssl.joint_recipes import (
    BATCH,
    PREDICTOR,
    PROJECTOR,
    RECIPES,
    TARGET,
    WIDTH,
    TinyEncoder,
    build,
    part,
    train,
    views_of,
)

NAMES = sorted(RECIPES)
START = Moment(0, 20, 0, 10)
STEPS = 3


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"dino", "tico"}))  # their centre and covariance move
def test_steps_lower_the_loss_of_the_batch(name: str) -> None:
    losses = train(build(name), views_of(), 20)
    assert losses[-1] < losses[1]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_the_encoder_and_stop_at_the_target(name: str) -> None:
    recipe = build(name)
    output = recipe(views_of(), START)
    output.loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in recipe.encoder.parameters())
    targets = [p for key, p in recipe.named_parameters() if key.startswith("target.")]
    assert all(not p.requires_grad and p.grad is None for p in targets)
    assert all(p.grad is not None for p in recipe.parameters() if p.requires_grad), "DDP waits for every gradient"


@pytest.mark.parametrize("name", NAMES)
def test_h_and_z_of_the_global_views_are_handed_out(name: str) -> None:
    output = build(name)(views_of(), START)
    rows = BATCH if name == "ressl" else 2 * BATCH
    assert output.features.shape == (rows, WIDTH)
    assert output.projections is not None and len(output.projections) == rows
    assert output.loss.shape == () and torch.isfinite(output.loss)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_goes_on_from_its_state(name: str) -> None:
    recipe, again = build(name), build(name)
    train(recipe, views_of(), STEPS)
    again.load_state_dict(recipe.state_dict())
    torch.manual_seed(2)
    expected = train(recipe, views_of(), 2, first=STEPS)
    torch.manual_seed(2)
    assert train(again, views_of(), 2, first=STEPS) == expected


def trained(name: str, rank: int, ranks: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    recipe = build(name, torch.float64)
    if ranks > 1:
        share_batch_norm(recipe)
    torch.manual_seed(3)
    losses = train(recipe, part(views_of(dtype=torch.float64), rank, ranks), STEPS)
    return losses, recipe.state_dict()


@pytest.fixture(scope="module")
def on_two() -> list[dict[str, tuple[list[float], dict[str, torch.Tensor]]]]:
    return on_processes(lambda rank: {name: trained(name, rank, 2) for name in NAMES}, 2)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one(name: str, on_two: list) -> None:
    losses, state = trained(name, 0, 1)
    for rank in on_two:
        spread_losses, spread = rank[name]
        assert spread_losses == pytest.approx(losses, rel=1e-10)
        for key, value in state.items():
            torch.testing.assert_close(
                spread[key], value, rtol=1e-8, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}"
            )


MULTI_CROP = sorted(set(NAMES) - {"ressl", "tico"})


@pytest.mark.parametrize("name", MULTI_CROP)
def test_local_views_join_in(name: str) -> None:
    recipe, batch = build(name), views_of(4)
    output = recipe(batch, START)
    assert len(output.features) == 2 * BATCH
    alone = recipe(views_of(2), START)
    assert torch.isfinite(output.loss) and not torch.equal(output.loss, alone.loss)


def test_spectral_projections_are_drawn_back_into_their_ball() -> None:
    recipe = SpectralContrastive(TinyEncoder(), PROJECTOR, mu=4.0)
    z = torch.tensor([[0.5, 0.0], [3.0, 4.0]])
    torch.testing.assert_close(recipe.within(z), torch.tensor([[0.5, 0.0], [1.2, 1.6]]))
    with pytest.raises(ConfigError, match=r"model\.mu is 0"):
        SpectralContrastive(TinyEncoder(), PROJECTOR, mu=0.0)


def test_a_recipe_says_whether_it_needs_a_moving_target_and_a_predictor() -> None:
    both = {"projector": PROJECTOR, "predictor": PREDICTOR, "target": TARGET}
    with pytest.raises(ConfigError, match=r"model\.target must be set for BYOL"):
        BYOL(TinyEncoder(), PROJECTOR, PREDICTOR)
    with pytest.raises(ConfigError, match=r"model\.predictor must be set for BYOL"):
        BYOL(TinyEncoder(), PROJECTOR, target=TARGET)
    with pytest.raises(ConfigError, match=r"model\.target must not be set for SimSiam"):
        SimSiam(TinyEncoder(), **both)
    with pytest.raises(ConfigError, match=r"model\.predictor must not be set for TiCo"):
        TiCo(TinyEncoder(), **both)
