"""The networks of RL-LNS against dense formulas, double loops and numerical gradients (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import layer_norm

from data.ilp.rollout_state import OBSERVATION_WIDTH, RepeatedMatrix
from data.ilp.transitions import TransitionBatch
from models.ilp.actor_critic import Actor, ActorCritic, Critic


def matrix(seed: int, rows: int, columns: int) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    return sp.csr_matrix(np.where(rng.random((rows, columns)) < 0.5, rng.normal(size=(rows, columns)), 0.0))


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def batch(seed: int = 0) -> TransitionBatch:
    """Three states of a problem with 5 variables."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator)

    n = 3 * 5
    return TransitionBatch(
        RepeatedMatrix(matrix(1, 4, 5), 3),
        draw(n, OBSERVATION_WIDTH),
        draw(n) < 0.5,
        draw(3),
        draw(n, OBSERVATION_WIDTH),
        draw(n) < 0.5,
        draw(n) < 0.7,
    )


def test_the_networks_have_the_sizes_of_their_layers() -> None:
    encoder = 128 * (18 + 1) + 3 * 128 * 129 + 4 * 256
    assert parameters(Actor()) == encoder + 256 * 129 + 128 * 257 + 129
    assert parameters(Critic()) == encoder + 128 + 256 * 257 + 128 * 257 + 129


def test_the_encoder_is_the_papers_two_rounds_with_a_dense_matrix() -> None:
    actor, dense = Actor(width=8), matrix(0, 6, 5)
    x, A = torch.rand(5, OBSERVATION_WIDTH), torch.from_numpy(dense.toarray()).float()
    encoder = actor.encoder

    def norm(h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(layer_norm(h, (8,)))

    v = encoder.embed(x)
    c = norm(A @ v)
    v1 = v + norm(A.T @ encoder.mix[0](c))
    c1 = c + norm(A @ encoder.mix[1](v1))
    expected = v1 + norm(A.T @ encoder.mix[2](c1))
    torch.testing.assert_close(encoder(x, RepeatedMatrix(dense)), expected)


def test_a_batch_of_states_is_the_states_one_by_one() -> None:
    model, whole = ActorCritic(width=8), batch()
    p, q = model.actor(whole.before, whole.matrix), model.critic(whole.before, whole.action, whole.matrix)
    alone = RepeatedMatrix(matrix(1, 4, 5))
    for x, action, probability, value in zip(whole.before.split(5), whole.action.split(5), p.split(5), q, strict=True):
        torch.testing.assert_close(model.actor(x, alone), probability)
        torch.testing.assert_close(model.critic(x, action, alone)[0], value)


def test_renaming_variables_and_rows_renames_the_probabilities() -> None:
    actor, rng, A = Actor(width=8), np.random.default_rng(0), matrix(3, 6, 7)
    x, rows, columns = torch.rand(7, OBSERVATION_WIDTH), rng.permutation(6), rng.permutation(7)
    renamed = actor(x[columns], RepeatedMatrix(sp.csr_matrix(A[rows][:, columns])))
    torch.testing.assert_close(renamed, actor(x, RepeatedMatrix(A))[columns])


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_probabilities_never_leave_the_middle(scale: float) -> None:
    p = Actor(width=8)(scale * torch.randn(50, OBSERVATION_WIDTH), RepeatedMatrix(matrix(4, 9, 50)))
    assert p.min().item() >= 0.2
    assert p.max().item() <= 0.8 + 1e-6


def test_the_critic_has_a_value_where_nothing_is_freed() -> None:
    q = Critic(width=8)(torch.rand(5, OBSERVATION_WIDTH), torch.zeros(5, dtype=torch.bool), batch_of_one())
    assert torch.isfinite(q).all()


def batch_of_one() -> RepeatedMatrix:
    return RepeatedMatrix(matrix(1, 4, 5))


def test_losses_equal_a_double_loop() -> None:
    model, transitions = ActorCritic(width=8), batch()
    with torch.no_grad():
        for slow in model.target_critic.parameters():
            slow.add_(0.1)
    actor_loss, critic_loss = model.losses(transitions, 0.99)
    p = model.actor(transitions.before, transitions.matrix).tolist()
    q = model.critic(transitions.before, transitions.action, transitions.matrix).tolist()
    following = model.target_critic(transitions.after, transitions.next_action, transitions.matrix).tolist()
    expected_actor = expected_critic = 0.0
    for state, members in enumerate((range(5), range(5, 10), range(10, 15))):
        for j in members:
            if transitions.candidates[j]:
                expected_actor -= q[state] * np.log(p[j] if transitions.action[j] else 1 - p[j]) / 3
        target = float(transitions.reward[state]) + 0.99 * following[state]
        expected_critic += (q[state] - target) ** 2 / 3
    assert actor_loss.item() == pytest.approx(expected_actor, rel=1e-4)
    assert critic_loss.item() == pytest.approx(expected_critic, rel=1e-4)


def test_the_actors_loss_moves_the_actor_alone_and_the_critics_the_critic_alone() -> None:
    model = ActorCritic(width=8)
    actor_loss, critic_loss = model.losses(batch(), 0.99)
    actor_loss.backward()
    assert all(p.grad is not None for p in model.actor.parameters())
    assert all(p.grad is None for p in model.critic.parameters())
    model.zero_grad()
    critic_loss.backward()
    assert all(p.grad is not None for p in model.critic.parameters())
    assert all(p.grad is None for p in model.actor.parameters())
    assert not any(p.requires_grad for p in model.target_critic.parameters())


def test_gradients_equal_finite_differences() -> None:
    torch.manual_seed(0)
    model, transitions = ActorCritic(width=4), batch()
    rng = np.random.default_rng(0)
    for network, which in ((model.actor, 0), (model.critic, 1)):
        weights = network.encoder.embed.weight
        (gradient,) = torch.autograd.grad(model.losses(transitions, 0.9)[which], weights)
        for row, column in rng.integers(weights.shape, size=(6, 2)):
            values = []
            for step in (3e-3, -3e-3):
                with torch.no_grad():
                    weights[row, column] += step
                    values.append(model.losses(transitions, 0.9)[which].item())
                    weights[row, column] -= step
            numeric = (values[0] - values[1]) / 6e-3
            assert gradient[row, column].item() == pytest.approx(numeric, rel=2e-2, abs=3e-3)


def test_the_slow_critic_follows_by_tau() -> None:
    model = ActorCritic(width=4)
    with torch.no_grad():
        for p in model.critic.parameters():
            p.add_(1.0)
    slow = copy.deepcopy(model.target_critic.state_dict())
    model.track(0.01)
    for name, value in model.target_critic.state_dict().items():
        expected = 0.99 * slow[name] + 0.01 * model.critic.state_dict()[name]
        torch.testing.assert_close(value, expected)


def test_a_better_action_becomes_more_likely() -> None:
    torch.manual_seed(0)
    model = ActorCritic(width=8)
    state = batch_of_one()
    x, good = torch.rand(5, OBSERVATION_WIDTH), torch.tensor([True, True, False, False, True])
    with torch.no_grad():  # a critic that values every action at 1
        model.critic.last.weight.zero_()
        model.critic.last.bias.fill_(1.0)
    transition = TransitionBatch(state, x, good, torch.ones(1), x, good, torch.ones(5, dtype=torch.bool))
    optimizer = torch.optim.SGD(model.actor.parameters(), 0.05)
    before = model.actor(x, state)
    for _ in range(20):
        optimizer.zero_grad()
        model.losses(transition, 0.0)[0].backward()
        optimizer.step()
    after = model.actor(x, state)
    assert ((after > before) == good).all()


def test_only_the_embedding_and_the_head_decay() -> None:
    model = ActorCritic(width=8)
    decayed, others = model.critic_groups(0.01)
    assert [p.ndim for p in decayed["params"]] == [2, 2, 2]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    everything: list[Any] = [*decayed["params"], *others["params"]]
    assert {id(p) for p in everything} == {id(p) for p in model.critic.parameters()}
