"""Trajectories of RL-LNS and the memory that batches of transitions are drawn from (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from data.ilp.rollout_state import RepeatedMatrix
from runs.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Trajectory:
    """T steps of one episode on a problem with n variables and m rows.

    Parameters
    ----------
    matrix
        (m, n) csr, row-normalised.
    static
        (n, 13) float32 features that do not change.
    candidates
        (n,) bool, the variables that can be chosen.
    solutions
        (T, n, 5) float32, :func:`data.ilp.rollout_state.solution_columns` before each step.
    actions
        (T, n) bool, the variables that were freed.
    rewards
        (T,) float32.
    """

    matrix: sp.csr_matrix
    static: np.ndarray
    candidates: np.ndarray
    solutions: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray

    def __len__(self) -> int:
        """Transitions: a step counts once its successor's action is known."""
        return max(0, len(self.rewards) - 1)

    def transitions(self, steps: np.ndarray) -> TransitionBatch:
        """Those from ``steps`` (S,) to their successors."""
        return TransitionBatch(
            RepeatedMatrix(self.matrix, len(steps)),
            self._observations(steps),
            torch.from_numpy(self.actions[steps].ravel()),
            torch.from_numpy(self.rewards[steps]),
            self._observations(steps + 1),
            torch.from_numpy(self.actions[steps + 1].ravel()),
            torch.from_numpy(np.tile(self.candidates, len(steps))),
        )

    def _observations(self, steps: np.ndarray) -> torch.Tensor:
        """(S n, 18), what the policy saw before each of ``steps``."""
        static = np.broadcast_to(self.static, (len(steps), *self.static.shape))
        return torch.from_numpy(np.concatenate([static, self.solutions[steps]], axis=2)).flatten(0, 1)

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        arrays = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "matrix"}
        arrays |= {key: getattr(self.matrix, key) for key in ("data", "indices", "indptr")}
        return {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> Trajectory:
        """Inverse of :meth:`to_tensors`."""
        arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
        parts = tuple(arrays.pop(key) for key in ("data", "indices", "indptr"))
        shape = len(parts[2]) - 1, len(arrays["static"])
        return cls(sp.csr_matrix(parts, shape=shape), **arrays)


@dataclass(frozen=True, eq=False)
class TransitionBatch:
    """S transitions on one problem, N = S n: state, action, reward, next state and the action taken there.

    ``before`` and ``after`` are (N, 18) float, ``action``, ``next_action`` and ``candidates`` (N,) bool, ``reward`` (S,).
    """

    matrix: RepeatedMatrix
    before: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    after: torch.Tensor
    next_action: torch.Tensor
    candidates: torch.Tensor

    def to(self, device: torch.device | str) -> TransitionBatch:
        """The batch on ``device``."""
        return TransitionBatch(*(getattr(self, entry.name).to(device) for entry in fields(self)))


class TransitionMemory:
    """The newest transitions; the oldest trajectories go once there are more than ``limit``.

    Raises
    ------
    ConfigError
        ``limit`` is below 1.
    """

    def __init__(self, limit: int) -> None:
        if not limit >= 1:
            raise ConfigError(f"rollouts.memory is {limit}; it must hold 1 transition at least")
        self.limit = limit
        self._trajectories: list[Trajectory] = []

    def __len__(self) -> int:
        return sum(map(len, self._trajectories))

    def add(self, trajectory: Trajectory) -> None:
        """Remember a trajectory; the last one stays whatever its length."""
        self._trajectories.append(trajectory)
        while len(self) > self.limit and len(self._trajectories) > 1:
            self._trajectories.pop(0)

    def sample(self, size: int, rng: np.random.Generator) -> list[TransitionBatch]:
        """``size`` transitions without replacement (all, if there are no more), a batch for each trajectory among them."""
        ends = np.cumsum([0, *map(len, self._trajectories)])
        drawn = np.sort(rng.choice(ends[-1], min(size, int(ends[-1])), replace=False))
        steps = [drawn[(drawn >= begin) & (drawn < end)] - begin for begin, end in itertools.pairwise(ends)]
        return [one.transitions(at) for one, at in zip(self._trajectories, steps, strict=True) if len(at)]

    def state(self) -> list[dict[str, torch.Tensor]]:
        """Plain tensors for a checkpoint."""
        return [trajectory.to_tensors() for trajectory in self._trajectories]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take up :meth:`state`."""
        self._trajectories = [Trajectory.from_tensors(tensors) for tensors in state]
