"""Policy gradients against those of expected rewards, found by enumerating all actions."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from solvers.policy_gradient.environment import Decision, Turn
from solvers.policy_gradient.losses import reinforce_loss, v_trace_loss
from solvers.policy_gradient.rollout import Rollout, Rollouts

PAYS = torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.5, -0.5]], dtype=torch.float64)


class State(NamedTuple):
    """In which of the two states of a bandit episodes are."""

    state: Tensor


class Bandit:
    """Two states one after the other, each with three actions that pay; then the episode ends."""

    def __init__(self, episodes: int) -> None:
        self.state = torch.zeros(episodes, dtype=torch.int64)

    def reset(self) -> State:
        self.state = torch.zeros_like(self.state)
        return State(self.state)

    def step(self, actions: Tensor) -> Turn:
        reward, ended = PAYS[self.state, actions], self.state == 1
        self.state = torch.where(ended, 0, self.state + 1)
        return Turn(State(self.state), reward, ended)


class Table:
    """Logits and values of every state; counts the steps since an episode began in its memory."""

    def __init__(self, values: float = 0.0) -> None:
        self.logits = torch.tensor([[0.2, 0.0, -0.4], [0.5, -0.3, 0.1]], dtype=torch.float64, requires_grad=True)
        self.values = torch.full((2,), values, dtype=torch.float64)

    def __call__(self, observations: State, begins: Tensor, memory: Any) -> Decision:
        counts = torch.zeros_like(begins[0], dtype=torch.int64) if memory is None else memory
        for row in begins:
            counts = torch.where(row, 1, counts + 1)
        return Decision(self.logits[observations.state], self.values[observations.state], counts)


def exact_gradient() -> Tensor:
    """Of the expected sum of rewards with respect to the logits."""
    policy = Table()
    (policy.logits.softmax(1) * PAYS).sum().backward()
    assert policy.logits.grad is not None
    return policy.logits.grad


def every_episode(policy: Table) -> tuple[Rollout, Tensor]:
    """All nine episodes, and the probability of each."""
    first, second = (part.flatten() for part in torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"))
    actions = torch.stack([first, second])
    states = torch.stack([torch.zeros(9), torch.ones(9), torch.zeros(9)]).long()
    begins = states == 0
    log_p = policy.logits.detach().log_softmax(1)
    taken = torch.stack([log_p[0, first], log_p[1, second]])
    rewards = torch.stack([PAYS[0, first], PAYS[1, second]])
    rollout = Rollout(State(states), begins, None, actions, rewards, states[:2] == 1, taken)
    return rollout, taken.sum(0).exp()


def episode(rollout: Rollout, number: int) -> Rollout:
    """One of them."""
    pick = slice(number, number + 1)
    return Rollout(State(rollout.observations.state[:, pick]), rollout.begins[:, pick], None,
                   *(part[:, pick] for part in rollout[3:]))  # fmt: skip


@pytest.mark.parametrize("kind", ["reinforce", "v_trace"])
def test_the_expected_gradient_is_that_of_the_expected_reward(kind: str) -> None:
    policy = Table(values=0.7)
    rollout, probability = every_episode(policy)
    for number in range(9):
        one = episode(rollout, number)
        loss = (
            2 * reinforce_loss(policy, one, normalise=False)  # a mean over two steps
            if kind == "reinforce"
            else v_trace_loss(policy, one)
        )
        (probability[number] * loss).backward()
    assert policy.logits.grad is not None
    assert torch.allclose(-policy.logits.grad, exact_gradient(), atol=1e-12)


def test_normalised_returns_do_not_depend_on_the_scale_of_rewards() -> None:
    gradients = []
    for scale, offset in ((1.0, 0.0), (5.0, 3.0)):
        policy = Table()
        rollout, _ = every_episode(policy)
        only_last = torch.where(rollout.ended, scale * rollout.rewards + offset, 0.0)
        reinforce_loss(policy, rollout._replace(rewards=only_last)).backward()
        gradients.append(policy.logits.grad)
    assert torch.allclose(*gradients, atol=1e-6)


def test_an_action_that_is_not_allowed_leaves_gradients_finite() -> None:
    logits = torch.tensor([0.1, -torch.inf, 0.3]).requires_grad_()

    def policy(observations: State, begins: Tensor, memory: Any) -> Decision:
        shape = (*begins.shape, 3)
        return Decision(logits.expand(shape), logits[0].expand(shape[:2]), None)

    play = Rollouts(Bandit(4), policy, torch.Generator().manual_seed(0)).unroll(5)
    assert not (play.actions == 1).any()
    (v_trace_loss(policy, play, entropy=0.1) + reinforce_loss(policy, play, entropy=0.1)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_rollouts_go_on_where_they_stopped() -> None:
    policy = Table()
    whole = Rollouts(Bandit(2), policy, torch.Generator().manual_seed(3)).unroll(9)
    cut = Rollouts(Bandit(2), policy, torch.Generator().manual_seed(3))
    parts = [cut.unroll(4), cut.unroll(5)]
    for name in ("actions", "rewards", "ended", "log_probabilities"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert torch.equal(parts[0].observations.state[-1], parts[1].observations.state[0])
    assert parts[1].memory.tolist() == [2, 2], "the policy remembers across the cut"


def test_learning_sees_the_probabilities_that_were_acted_on() -> None:
    policy = Table()
    play = Rollouts(Bandit(3), policy, torch.Generator().manual_seed(5)).unroll(6)
    decided = policy(play.before, play.begins[:-1], play.memory)
    log_p = decided.logits.log_softmax(-1).gather(-1, play.actions[..., None])[..., 0]
    assert torch.allclose(log_p.detach(), play.log_probabilities)


def test_without_a_generator_the_most_probable_action_is_taken() -> None:
    play = Rollouts(Bandit(3), Table(), None).unroll(2)
    assert play.actions.tolist() == [[0, 0, 0], [0, 0, 0]]
