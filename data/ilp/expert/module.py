"""Training on expert states of one set of ILPs, testing on another: the data of the learned policies."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from data.ilp.expert.collection import Collector, ExpertCollection
from data.ilp.expert.features import fill_features
from data.ilp.expert.states import ExpertStates, SetChoice
from data.ilp.features.dynamic import WINDOW
from data.ilp.instances import IntegerPrograms
from data.ilp.state_batch import StateBatch, collate
from data.loading import EpochShuffle, RankShare, ResumableLoader, place
from data.modules import ProblemData
from runs.errors import ConfigError
from runs.store.cache import Collection


class ExpertPrograms(ProblemData):
    """Batches of expert states for training and validation, and integer programs to test on.

    What is missing of the expert's records is collected before training, resumably; see
    :class:`data.ilp.expert.collection.ExpertCollection`. A global batch is shared out to the ranks state by state, so that
    several processes take the same steps as one.

    Parameters
    ----------
    train, test
        Instances to learn from and to search on; any two families.
    collector
        The expert. None: nothing is collected, and a step of training gets ``batch_size`` instances themselves, a step of
        validation one, each as ``(index, problem)``: what a policy that learns from its own rollouts needs.
    cache
        Folder of the artifact cache.
    settings
        JSON text of the configuration that the records depend on: of ``train`` and of the collector.
    collect
        False: use what is in the cache and refuse to train where something is missing.
    validation_share
        Share of the training instances, the first ones, whose states choose the best checkpoint.
    batch_size
        States per step, over all ranks. Of instances, every rank gets all.
    positive_share, negative_share, positives_per_state, negatives_per_positive
        See :class:`data.ilp.expert.states.SetChoice`.
    feature_set
        Of the policy; ``gasse_khalil_lb_relax`` needs LP relaxations in the records.
    window
        How many incumbents the features show, 0 to 3.
    workers
        Processes that collect, and that load batches.
    seed
        Determines the order of the states.
    name, neighborhood_size
        What reports call the set, and k_0 of the search; those of ``test`` by default.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        train: IntegerPrograms,
        test: IntegerPrograms,
        collector: Collector | None,
        cache: str,
        settings: str,
        collect: bool = True,
        validation_share: float = 0.125,
        batch_size: int = 32,
        positive_share: float = 0.5,
        negative_share: float = 0.05,
        positives_per_state: int = 10,
        negatives_per_positive: int = 9,
        feature_set: str = "gasse_khalil",
        window: int = 3,
        workers: int = 0,
        seed: int = 0,
        name: str | None = None,
        neighborhood_size: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size is {batch_size}; it must be at least 1")
        if not 0 < validation_share < 1:
            raise ConfigError(f"data.validation_share is {validation_share}; it must lie between 0 and 1")
        self.train, self.test = train, test
        self.collector = collector
        self.cache = cache
        self.records = ExpertCollection(train, cache, json.loads(settings))
        self.collect = collect
        self.validation_share = validation_share
        self.batch_size = batch_size
        self.choice = SetChoice(positive_share, negative_share, positives_per_state, negatives_per_positive)
        if not 0 <= window <= WINDOW:
            raise ConfigError(f"data.window is {window}; it must be 0 to {WINDOW}")
        self.window = window
        self.relaxed = feature_set == "gasse_khalil_lb_relax"
        self.workers = workers
        self.seed = seed
        self.name = name or test.name
        self.neighborhood_size = test.neighborhood_size if neighborhood_size is None else neighborhood_size
        self.train_states: ExpertStates | None = None
        self.validation_states: ExpertStates | None = None

    def problem_optimum(self, name: str) -> float | None:
        """The known optimum of a test instance, in its own sense, or None."""
        return self.test.problem_optimum(name)

    def collect_records(self) -> None:
        """Collect the missing records, or refuse where ``collect`` is false; all ranks share the work.

        Raises
        ------
        ConfigError
            No instance could be collected or has a state, or ``collect`` is false and something is missing.
        """
        self.train.setup()
        if not self.collect:
            self.records.require()
            return
        assert self.collector is not None
        self.records.fill(self.collector, self.workers)
        self.records.review(self.choice.negative_share)

    def setup(self, stage: str | None = None) -> None:
        """Find the test instances, and where something is trained the states, collected first where they are missing.

        Raises
        ------
        ConfigError
            No state has good and bad sets, or there is none to validate on.
        """
        self.test.setup()
        self.test_problems = self.test.test_problems
        if stage not in (None, "fit", "validate") or self.train_states is not None or self.train_problems is not None:
            return
        if self.collector is None:
            self._set_up_instances()
            return
        items = list(self.records.items)
        validation = self._validation_count(len(items))
        self.collect_records()
        features = fill_features(self.records, self.cache, self.workers)
        self.validation_states = self._states(features, items[:validation], "validation")
        self.train_states = self._states(features, items[validation:], "training")

    def _set_up_instances(self) -> None:
        self.train.setup()
        problems: Any = self.train.test_problems
        validation = self._validation_count(len(problems))
        if self.batch_size > len(problems) - validation:
            raise ConfigError(
                f"data.batch_size is {self.batch_size} instances at once, but there are {len(problems) - validation} to "
                "learn from; lower it or raise data.train.count"
            )
        self.validation_problems = Subset(problems, range(validation))
        self.train_problems = Subset(problems, range(validation, len(problems)))

    def _validation_count(self, count: int) -> int:
        validation = round(self.validation_share * count)
        if not 0 < validation < count:
            raise ConfigError(
                f"data.validation_share is {self.validation_share} of {count} instances, which leaves {validation} for "
                f"validation and {count - validation} for training; change it or raise data.train.count"
            )
        return validation

    def _states(self, features: Collection, items: list[str], use: str) -> ExpertStates:
        states = ExpertStates(self.records, features, items, self.choice, self.relaxed, self.window)
        if not len(states):
            raise ConfigError(
                f"none of the {len(items)} {use} instances has a state with good and bad sets; raise data.train.count, "
                "strengthen data.collector.start_budget, or widen data.positive_share and data.negative_share"
            )
        return states

    def train_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Shuffled batches; a resumed epoch goes on where it stopped."""
        if self.train_problems is not None:
            order = EpochShuffle(len(self.train_problems), self.seed)  # type: ignore[arg-type]
            return ResumableLoader(
                self.train_problems, self.batch_size, self.seed, drop_last=True, sampler=order, collate_fn=list
            )
        if self.train_states is None:
            return []
        ranks, rank = place()
        if self.batch_size % ranks:
            raise ConfigError(f"data.batch_size is {self.batch_size}, which {ranks} processes cannot share equally")
        share = RankShare(len(self.train_states), self.seed, self.batch_size, ranks, rank)
        return ResumableLoader(self.train_states, self.batch_size // ranks, self.seed, sampler=share, **self._loading())

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Validation states in order, each seen by one rank."""
        if self.validation_states is None:
            return super().val_dataloader()
        ranks, rank = place()
        if len(self.validation_states) < ranks:
            raise ConfigError(
                f"there are {len(self.validation_states)} validation states for {ranks} processes; raise data.train.count "
                "or data.validation_share"
            )
        share = list(range(rank, len(self.validation_states), ranks))
        return DataLoader(self.validation_states, max(1, self.batch_size // ranks), sampler=share, **self._loading())

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Batches of states move, problems stay on the host."""
        return batch.to(device) if isinstance(batch, StateBatch) else batch

    def _loading(self) -> dict[str, Any]:
        return {"collate_fn": collate, "num_workers": self.workers, "persistent_workers": self.workers > 0}
