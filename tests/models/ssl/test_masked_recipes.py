"""What every masked recipe must do: learn, send gradients to what learns only, resume, and be the same on two processes."""

from __future__ import annotations

import copy

import pytest
import torch

from models.ssl.momentum import MomentumCopy
from models.ssl.recipe import Moment, Recipe
from tests.models.ssl.processes import two_ranks
from tests.models.ssl.recipes import SMALL, built, trained, views

START = Moment(0, 10, 0, 1)
NAMES = sorted(SMALL)


def teachers(recipe: Recipe) -> list[MomentumCopy]:
    return [module for module in recipe.modules() if isinstance(module, MomentumCopy)]


@pytest.mark.parametrize("name", NAMES)
def test_steps_on_a_few_images_lower_the_loss(name: str) -> None:
    recipe, batch = built(name), views()
    torch.manual_seed(1)
    losses = trained(recipe, batch, 60)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_all_that_learns_and_no_teacher(name: str) -> None:
    recipe = built(name)
    output = recipe(views(), START)
    output.loss.backward()
    idle = {parameter for teacher in teachers(recipe) for parameter in teacher.parameters()}
    for label, parameter in recipe.named_parameters():
        if parameter in idle:
            assert parameter.grad is None and not parameter.requires_grad, label
        else:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", NAMES)
def test_features_are_a_row_of_the_encoders_width_per_image_of_full_size(name: str) -> None:
    recipe, batch = built(name), views(rows=6, number=2)
    output = recipe(batch, START)
    assert output.features.shape == (12, recipe.encoder.width)
    assert torch.isfinite(output.features).all() and output.loss.ndim == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_recipe_continues_the_same_training(name: str) -> None:
    batch, recipe = views(), built(name)
    torch.manual_seed(2)
    trained(recipe, batch, 3)
    other = built(name)
    other.load_state_dict(copy.deepcopy(recipe.state_dict()))
    continued = []
    for each in (recipe, other):
        torch.manual_seed(3)
        continued.append(trained(each, batch, 3))
    assert continued[0] == continued[1]


@pytest.mark.parametrize("name", [name for name in NAMES if name in ("data2vec", "ijepa")])
def test_the_teacher_moves_by_one_minus_the_momentum(name: str) -> None:
    recipe = built(name)
    (teacher,) = teachers(recipe)
    before = [p.clone() for p in teacher.parameters()]
    with torch.no_grad():
        for parameter in recipe.encoder.parameters():
            parameter.add_(1.0)
    recipe.after_step(START)
    for first, parameter in zip(before, teacher.parameters(), strict=True):
        torch.testing.assert_close(parameter, first + 0.1)


def value_and_gradients(rank: int | None) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Loss and all gradients of every recipe after two steps of its hooks."""
    results = []
    for name in NAMES:
        recipe, whole = built(name).double(), views(rows=8, number=2)
        own = slice(None) if rank is None else slice(rank, None, 2)
        batch = type(whole)(tuple(view[own].double() for view in whole.views), 2)
        torch.manual_seed(4)
        for step in range(2):
            recipe.zero_grad()
            loss = recipe(batch, Moment(step, 2, 0, 1)).loss
            loss.backward()
            recipe.after_step(Moment(step, 2, 0, 1))
        gradient = torch.cat([p.grad.flatten() for p in recipe.parameters() if p.grad is not None])
        results.append((loss.detach(), gradient))
    return results


def test_two_processes_equal_one_in_value_and_gradient() -> None:
    first, second = two_ranks(value_and_gradients)
    for name, ours, theirs, (loss, gradient) in zip(NAMES, first, second, value_and_gradients(None), strict=True):
        torch.testing.assert_close(ours[0], loss, msg=lambda text, name=name: f"{name}: {text}")
        torch.testing.assert_close(theirs[0], loss)
        mean = (ours[1] + theirs[1]) / 2
        torch.testing.assert_close(mean, gradient, rtol=1e-7, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")
