"""What every masked recipe must do: learn, send gradients to what learns only, resume, and be the same on two processes."""

from __future__ import annotations

import copy

import pytest
import torch

from models.ssl.parts.momentum import MomentumCopy
from models.ssl.parts.state.batch_norm import share_batch_norm
from models.ssl.recipe import Moment, Recipe, ViewBatch
from runs.local_processes import on_processes
from tests.models.ssl.recipes import SMALL, built, trained, views

START = Moment(0, 10, 0, 1)
NAMES = sorted(SMALL)
OF_PAIRS = {"ibot", "dinov2", "msn"}
"""Recipes that compare views."""


def batch_for(name: str, rows: int = 16) -> ViewBatch:
    return views(rows, 2 if name in OF_PAIRS else 1)


def teachers(recipe: Recipe) -> list[MomentumCopy]:
    return [module for module in recipe.modules() if isinstance(module, MomentumCopy)]


@pytest.mark.parametrize("name", NAMES)
def test_steps_on_a_few_images_lower_the_loss(name: str) -> None:
    # a centre that moves makes ibot's targets harder at first, so there the teacher and its centre stand still
    still = ["model.start=1.0", "model.center_momentum=0.0"] if name == "ibot" else []
    recipe, batch = built(name, *still), batch_for(name)
    torch.manual_seed(1)
    losses = trained(recipe, batch, 60)[1:]
    assert sum(losses[-8:]) < 0.85 * sum(losses[:8])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_all_that_learns_and_no_teacher(name: str) -> None:
    recipe = built(name)
    torch.manual_seed(1)
    output = recipe(batch_for(name), START)
    output.loss.backward()
    idle = {parameter for teacher in teachers(recipe) for parameter in teacher.parameters()}
    for label, parameter in recipe.named_parameters():
        if parameter in idle:
            assert parameter.grad is None and not parameter.requires_grad, label
        else:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", NAMES)
def test_features_are_rows_of_the_encoders_width_view_by_view(name: str) -> None:
    recipe, batch = built(name), views(rows=6, number=2)
    output = recipe(batch, START)
    rows = 6 if name == "msn" else 12  # msn's first view goes to the teacher only
    assert output.features.shape == (rows, recipe.encoder.width)
    assert output.projections is None or len(output.projections) == rows
    assert torch.isfinite(output.features).all() and output.loss.ndim == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_recipe_continues_the_same_training(name: str) -> None:
    batch, recipe = batch_for(name), built(name)
    torch.manual_seed(2)
    trained(recipe, batch, 3)
    other = built(name)
    other.load_state_dict(copy.deepcopy(recipe.state_dict()))
    continued = []
    for each in (recipe, other):
        torch.manual_seed(3)
        continued.append(trained(each, batch, 3))
    assert continued[0] == continued[1]


@pytest.mark.parametrize("name", ["data2vec", "dinov2", "ibot", "ijepa", "msn"])
def test_the_teacher_moves_by_one_minus_the_momentum(name: str) -> None:
    recipe = built(name)
    (teacher,) = teachers(recipe)
    before = [p.clone() for p in teacher.parameters()]
    with torch.no_grad():
        for label, parameter in recipe.named_parameters():
            if label.startswith(("encoder", "head", "patch_head", "projector")):
                parameter.add_(1.0)
    recipe.after_step(START)
    assert before
    for first, parameter in zip(before, teacher.parameters(), strict=True):
        torch.testing.assert_close(parameter, first + 0.1 * parameter.new_ones(()), rtol=1e-4, atol=1e-5)


def value_and_gradients(rank: int | None) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Loss and all gradients of every recipe after two steps of its hooks."""
    results = []
    for name in NAMES:
        recipe, whole = built(name).double(), views(rows=8, number=2)
        if rank is not None:
            share_batch_norm(recipe)
        own = slice(None) if rank is None else slice(4 * rank, 4 * rank + 4)
        batch = ViewBatch(tuple(view[own].double() for view in whole.views), 2)
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
    first, second = on_processes(value_and_gradients)
    for name, ours, theirs, (loss, gradient) in zip(NAMES, first, second, value_and_gradients(None), strict=True):
        torch.testing.assert_close(ours[0], loss, msg=lambda text, name=name: f"{name}: {text}")
        torch.testing.assert_close(theirs[0], loss)
        mean = (ours[1] + theirs[1]) / 2
        torch.testing.assert_close(mean, gradient, rtol=1e-7, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("name", NAMES)
def test_under_autocast_the_loss_is_in_single_precision_and_near_the_exact_one(name: str) -> None:
    recipe, batch, losses = built(name), batch_for(name), []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses.append(recipe(batch, START).loss)
    losses[1].backward()
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.1, atol=0.1)
    assert all(torch.isfinite(p.grad).all() for p in recipe.parameters() if p.grad is not None)
