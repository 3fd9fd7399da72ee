"""Programs with the rewards of a coreset's sequences: what predictors learn from (docs/papers/pass_order.md#3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import DataLoader

from data.compiler.base import Actions, Compiler, Trajectory
from data.compiler.sources import ProgramSource
from data.compiler.views import Arrays, View, views
from data.loading import RankShare, ResumableLoader, place
from runs.errors import at_least
from runs.store.cache import ArtifactCache
from solvers.compiler.collection import outcomes
from solvers.compiler.coreset import reward
from solvers.compiler.coreset_collection import CoresetSource
from solvers.compiler.replay import Order, curve, ranked

TRAIN, VALIDATION = "train", "validation"


class Batch(NamedTuple):
    """Some programs, as a view shows them, the rewards of all sequences on each, and their positions."""

    views: Any
    rewards: Float[Tensor, "programs sequences"]
    places: Int64[Tensor, " programs"]


@dataclass(frozen=True, eq=False)
class Part:
    """Programs that are learned on, or chosen by.

    Parameters
    ----------
    seen
        Each one's view.
    rewards
        Of each sequence on each.
    trajectories
        The same whole.
    reference
        (programs,) instructions after the level of size.
    families
        Of each.
    """

    seen: tuple[Arrays, ...]
    rewards: Float[np.ndarray, "programs sequences"]
    trajectories: tuple[tuple[Trajectory, ...], ...]
    reference: Float[np.ndarray, " programs"]
    families: tuple[str, ...]

    def improvement(self, scores: Float[np.ndarray, "programs sequences"], budget: int, order: Order = ranked) -> float:
        """Mean over families of the improvement that a replay by these scores reaches (docs/papers/pass_order.md#(1))."""
        least = [
            curve(known, [int(s) for s in order(row)], budget)[-1]
            for known, row in zip(self.trajectories, scores, strict=True)
        ]
        gained = (self.reference - np.array(least)) / self.reference
        families = np.array(self.families)
        return float(np.mean([gained[families == family].mean() for family in sorted(set(self.families))]))


class PredictionData(lightning.LightningDataModule):
    """Collects what it needs: the coreset, its sequences on all programs, and what the view sees.

    Parameters
    ----------
    compiler
        Applies passes.
    coreset
        Whose sequences are scored.
    train, validation
        Programs to learn on, and others to choose by.
    view
        What the network sees.
    cache
        Folder of the artifact cache.
    batch_size
        Programs a step, over all ranks.
    most_size
        A batch holds views of so large a size (nodes) and no more: the programs that would exceed it are left out of that
        step; None: no limit.
    seed
        Of the order.
    workers
        Processes that collect.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(
        self,
        compiler: Compiler,
        coreset: CoresetSource,
        train: ProgramSource,
        validation: ProgramSource,
        view: View,
        cache: str,
        batch_size: int = 256,
        most_size: int | None = None,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__()
        at_least("data.", batch_size=(batch_size, 1), most_size=(most_size, 1), seed=(seed, 0))
        self.compiler, self.coreset, self.view = compiler, coreset, view
        self.sources = {TRAIN: train, VALIDATION: validation}
        self.cache, self.workers = ArtifactCache(cache), workers
        self.batch_size, self.most_size, self.seed = batch_size, most_size, seed
        self.sequences: tuple[Actions, ...] = ()
        self.parts: dict[str, Part] = {}

    def setup(self, stage: str | None = None) -> None:
        """Collect what is not in the cache."""
        if self.parts:
            return
        self.sequences = self.coreset.find(self.compiler)
        self.parts = {name: self._part(name, source) for name, source in self.sources.items()}

    def _part(self, name: str, source: ProgramSource) -> Part:
        programs = source.read(self.compiler).one_at_least(name).kept
        found = outcomes(programs, self.sequences, self.compiler, self.cache, workers=self.workers)
        seen = views(programs, self.view, self.compiler, self.cache, workers=self.workers)
        kept = [i for i, each in enumerate(found.programs) if each in seen and found.reference[i] > 0]
        families = {program.name: program.family for program in programs}
        return Part(
            tuple(seen[found.programs[i]] for i in kept),
            reward(found.least[kept], found.initial[kept], found.reference[kept]),
            tuple(found.trajectories[i] for i in kept),
            found.reference[kept].astype(float),
            tuple(families[found.programs[i]] for i in kept),
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled batches; a resumed epoch goes on where it stopped."""
        ranks, rank = (1, 0) if self.trainer is None or self.trainer.world_size == 1 else place()
        order = RankShare(len(self.parts[TRAIN].seen), self.seed, self.batch_size, ranks, rank)
        share = max(self.batch_size // ranks, 1)
        places = range(len(self.parts[TRAIN].seen))
        return ResumableLoader(places, share, self.seed, sampler=order, collate_fn=self._collated)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation programs in order, all on every rank."""
        places = range(len(self.parts[VALIDATION].seen))
        own = torch.Generator()  # a loader without one draws from the global random state
        size = self.batch_size if self.most_size is None else 1
        return DataLoader(places, size, collate_fn=self._validated, generator=own)  # type: ignore[arg-type]

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Views have their own way to another device."""
        return Batch(*(part.to(device) for part in batch))

    def batch(self, name: str, places: Sequence[int]) -> Batch:
        """Some programs of a part."""
        part = self.parts[name]
        rewards = torch.from_numpy(part.rewards[places]).float()
        return Batch(self.view.batch([part.seen[place] for place in places]), rewards, torch.tensor(places))

    def _validated(self, places: Sequence[int]) -> Batch:
        return self.batch(VALIDATION, places)

    def _collated(self, places: Sequence[int]) -> Batch:
        """As many of them as the limit lets, at least one."""
        if self.most_size is None:
            return self.batch(TRAIN, places)
        sizes = np.cumsum([self.view.size(self.parts[TRAIN].seen[place]) for place in places])
        return self.batch(TRAIN, places[: max(1, int(np.searchsorted(sizes, self.most_size, side="right")))])
