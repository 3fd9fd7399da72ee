"""RL-LNS: a policy that learns from the rewards of its own rollouts in LNS (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
import torch.distributed
from torchmetrics import MeanMetric

from data.ilp.problem import ILP
from data.ilp.transitions import Trajectory, TransitionMemory
from models.ilp.actor_critic import ActorCritic
from runs.errors import ConfigError, InvalidProblem
from runs.store.trained import Trained, fill
from runs.store.trained_once import TrainedOnce
from solvers.base import Budget
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.episode import Episode
from solvers.lns.repair import Repair
from solvers.lns.rollout import RolloutSchedule, rollout
from solvers.lns.scorers.bernoulli import BernoulliScorer
from solvers.lns.scorers.trained import POLICY
from tasks.ilp.measure import measure
from tasks.search import Search

_UPDATES, _VALIDATION = 2**31, 2**31 + 1  # no index of an instance


class ReinforcementLearning(Search):
    """Actor-critic over rollouts, then the search with the policy that gained most on the validation instances.

    A training step is one cycle: an episode on each of its instances, then some updates from the memory. Processes share
    the episodes of a cycle and make the same updates, so that several learn what one does. A validation step is an episode
    on one instance.

    Parameters
    ----------
    model
        The networks.
    solver
        Large neighbourhood search with ``destroy.select=bernoulli``; its start and back end serve the rollouts too.
    budget, seed, checkpoint_seconds
        Of the search, see :class:`tasks.search.Search`; the seed is that of the rollouts too.
    rollouts
        The schedule.
    discount
        gamma of the rewards.
    tracking
        tau by which the critic's copy follows it after each update.
    critic_decay
        Weight decay of the critic's embedding and head.
    settings
        JSON text of the configuration that determines the trained policy; its ``model`` is kept with the weights.
    cache
        Folder of the artifact cache, from which a policy that another run trained is taken; None: this run trains its own.

    Raises
    ------
    ConfigError
        ``solver`` has no start, ``discount`` or ``tracking`` is outside its range, or the stored policy is another one than
        ``model``'s.
    """

    def __init__(
        self,
        model: ActorCritic,
        solver: LargeNeighborhoodSearch,
        budget: dict[str, Any],
        seed: int,
        rollouts: RolloutSchedule,
        discount: float = 0.99,
        tracking: float = 0.01,
        critic_decay: float = 0.01,
        settings: str = "{}",
        cache: str | None = None,
        checkpoint_seconds: float = 1.0,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        if solver.start is None:
            raise ConfigError("lns.start is null; the rollouts of RL-LNS need initial solutions")
        for name, value in (("discount", discount), ("tracking", tracking)):
            if not 0 <= value <= 1:
                raise ConfigError(f"task.{name} is {value}; it must lie in [0, 1]")
        self.automatic_optimization = False
        self.networks = model
        self.kept = copy.deepcopy(model.actor).requires_grad_(False)
        self.model = BernoulliScorer(self.kept)
        self.start = solver.start
        self.repair = Repair(solver.repair.solver, rollouts.seconds, nodes=rollouts.nodes)
        self.rollouts = rollouts
        self.discount, self.tracking, self.critic_decay = discount, tracking, critic_decay
        self.memory = TransitionMemory(rollouts.memory)
        self.gained = MeanMetric()
        self.best_gain: torch.Tensor
        self.register_buffer("best_gain", torch.tensor(-torch.inf))
        self.cycles: torch.Tensor
        self.register_buffer("cycles", torch.tensor(0))
        self.once = TrainedOnce(POLICY, settings, cache)
        if (trained := self.once.load()) is not None:
            self.adopt(trained)
            self.requires_grad_(False)

    def configure_callbacks(self) -> list[Any]:
        """The store of the trained policy."""
        return [self.once]

    def training_step(self, batch: list[tuple[int, ILP]], batch_index: int) -> dict[str, torch.Tensor]:
        """One cycle."""
        cycle = int(self.cycles)
        self.cycles += 1
        trajectories = self._episodes(batch, cycle)
        for trajectory in trajectories:
            self.memory.add(trajectory)
        rng = np.random.default_rng([self.seed, cycle, _UPDATES])
        for _ in range(self.rollouts.updates):
            actor_loss, critic_loss = self._update(rng).unbind()
        reward = float(np.mean([trajectory.rewards.sum() for trajectory in trajectories]))
        free = float(np.mean([trajectory.actions.mean() for trajectory in trajectories]))
        losses = {"actor_loss": actor_loss, "critic_loss": critic_loss}
        self.log_dict({"episode_reward": reward, "free_share": free, **losses}, batch_size=len(batch))
        return {"loss": actor_loss + critic_loss}

    def validation_step(self, item: tuple[int, ILP] | None, batch_index: int) -> None:
        """What the current policy gains in one episode; None: more ranks than instances."""
        if item is not None:
            episode, _ = self._episode(BernoulliScorer(self.networks.actor), item, _VALIDATION)
            self.gained.update((episode.first - episode.best) / episode.unit)

    def on_validation_epoch_end(self) -> None:
        """Keep the policy if it is the best so far."""
        gained: torch.Tensor = self.gained.compute()  # type: ignore[assignment]
        self.gained.reset()
        self.log("validation_gain", gained)
        if gained > self.best_gain:
            self.best_gain.copy_(gained)
            self.kept.load_state_dict(self.networks.actor.state_dict())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the actor and for the critic."""
        rate = self.rollouts.learning_rate
        critic = list(self.networks.critic_groups(self.critic_decay))
        return [torch.optim.Adam(self.networks.actor.parameters(), rate), torch.optim.Adam(critic, rate)]

    def on_test_start(self) -> None:
        """Leave the policy in the run's folder, for other searches."""
        if self.trainer.is_global_zero:
            self.once.keep(self.folder, self.trained())

    def trained(self) -> Trained:
        """The best policy."""
        return Trained(self.kept.state_dict(), {"validation_gain": self.best_gain.item()})

    def adopt(self, trained: Trained) -> None:
        """Search with a policy that another run trained.

        Raises
        ------
        ConfigError
            It is another one than the model's.
        """
        fill(self.kept, trained.weights, "the stored policy")
        self.best_gain.fill_(trained.validation["validation_gain"])

    def searched(self) -> dict[str, float]:
        """What the training reached."""
        return {"validation_gain": self.best_gain.item()}

    def get_extra_state(self) -> dict[str, Any]:
        """The memory, so that it travels with the weights."""
        return {"memory": self.memory.state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        self.memory.restore(state["memory"])

    def _episodes(self, batch: list[tuple[int, ILP]], cycle: int) -> list[Trajectory]:
        """A trajectory on each instance of the cycle, in order; each process makes its share."""
        ranks, rank = self.trainer.world_size, self.global_rank
        policy = BernoulliScorer(self.networks.actor)
        mine = [self._episode(policy, item, cycle)[1] for item in batch[rank::ranks]]
        if ranks == 1:
            return mine
        shares: list[list[Trajectory]] = [[] for _ in range(ranks)]
        torch.distributed.all_gather_object(shares, mine)
        return [shares[position % ranks][position // ranks] for position in range(len(batch))]

    def _episode(self, policy: BernoulliScorer, item: tuple[int, ILP], cycle: int) -> tuple[Episode, Trajectory]:
        index, problem = item
        if isinstance(problem, InvalidProblem):
            raise problem
        rng = np.random.default_rng([self.seed, cycle, index])
        minimisation = problem.to_min()
        first = self.start.solve(minimisation, budget=Budget(seconds=np.inf), rng=rng)
        if first.assignment is None:
            raise InvalidProblem(
                f"{problem.name}: no initial solution to roll out from ({first.status}); give lns.start more seconds"
            )
        episode = Episode(minimisation, first.assignment, self.repair)
        policy.prepare(minimisation, np.inf)
        return episode, rollout(policy, episode, self.rollouts.steps, rng)

    def _update(self, rng: np.random.Generator) -> torch.Tensor:
        """One step of both optimizers, with one problem's transitions in memory at a time; (2,) the losses before it."""
        batches = self.memory.sample(self.rollouts.batch_size, rng)
        transitions = sum(batch.matrix.states for batch in batches)
        optimizers: Any = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        total = torch.zeros(2, device=self.device)
        for batch in batches:
            losses = torch.stack(self.networks.losses(batch.to(self.device), self.discount))
            losses = losses * (batch.matrix.states / transitions)
            self.manual_backward(losses.sum())
            total += losses.detach()
        for optimizer in optimizers:
            optimizer.step()
        self.networks.track(self.tracking)
        return total
