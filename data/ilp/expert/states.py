"""States to learn from: features of an incumbent with good and bad sets (docs/papers/cl_lns.md#2.3)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from data.ilp.expert.collection import ExpertCollection
from data.ilp.expert.record import ExpertRecord, ExpertStep, VariableSets
from data.ilp.features.dynamic import WINDOW, dynamic_features
from runs.errors import ConfigError, InvalidProblem
from runs.store.cache import Collection, npz_arrays


@dataclass(frozen=True)
class SetChoice:
    """Which of the collected sets a state is trained on; changing it needs no new collection.

    Parameters
    ----------
    positive_share
        Good sets gain at least this share of the best gain.
    negative_share
        Bad sets gain at most this share of it.
    positives_per_state
        The best so many good sets.
    negatives_per_positive
        The first so many bad sets per good one; those collected first are nearest to the best set.

    Raises
    ------
    ConfigError
        A setting is outside its range.
    """

    positive_share: float = 0.5
    negative_share: float = 0.05
    positives_per_state: int = 10
    negatives_per_positive: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.negative_share < self.positive_share <= 1:
            raise ConfigError(
                f"data.positive_share is {self.positive_share} and data.negative_share {self.negative_share}; "
                "need 0 <= negative_share < positive_share <= 1"
            )
        for key in ("positives_per_state", "negatives_per_positive"):
            if getattr(self, key) < 1:
                raise ConfigError(f"data.{key} is {getattr(self, key)}; it must be at least 1")

    def of(self, step: ExpertStep) -> tuple[VariableSets, int] | None:
        """The good sets, best first, then the bad ones, and how many are good; None where either kind is missing."""
        good = step.good(self.positive_share)[: self.positives_per_state]
        bad = step.bad(self.negative_share)[: self.negatives_per_positive * len(good)]
        if not len(good) or not len(bad):
            return None
        return step.sets.take(np.concatenate([good, bad])), len(good)


@dataclass(frozen=True, eq=False)
class ExpertState:
    """One incumbent with its labelled sets.

    Parameters
    ----------
    variables, rows, edges
        (n, 104), (M, 10) and (E, 2) float32 features.
    edge_index
        (2, E) int, row node and variable of each edge.
    member, set_of_member
        (L,) int, the variables of all sets and the set each belongs to.
    positive, gain
        (S,) bool and float, of each set.
    """

    variables: np.ndarray
    rows: np.ndarray
    edge_index: np.ndarray
    edges: np.ndarray
    member: np.ndarray
    set_of_member: np.ndarray
    positive: np.ndarray
    gain: np.ndarray


class ExpertStates(Dataset[ExpertState]):
    """The states of some instances that have good and bad sets.

    Parameters
    ----------
    records
        Where the records lie.
    features
        Where the static features lie, see :mod:`data.ilp.expert.features`.
    items
        The instances.
    choice
        Which sets are taken.
    relaxed
        Give the features the LP relaxations of local branching, which must have been collected.
    window
        How many incumbents the features show.
    kept
        Instances kept in memory between items.

    Raises
    ------
    ConfigError
        The relaxations were not collected.
    """

    def __init__(
        self,
        records: ExpertCollection,
        features: Collection,
        items: Sequence[str],
        choice: SetChoice,
        relaxed: bool = False,
        window: int = WINDOW,
        kept: int = 256,
    ) -> None:
        self.records, self.features, self.choice = records, features, choice
        self.relaxed, self.window = relaxed, window
        self.states: list[tuple[str, int]] = []
        for item in items:
            record = records.record(item)
            for step in range(len(record.steps)) if record else ():
                assert record is not None
                if relaxed and record.relaxations(step, WINDOW) is None:
                    raise ConfigError(
                        f"data.feature_set is gasse_khalil_lb_relax, but {record.name} was collected without LP "
                        "relaxations; set data.collector.relaxation"
                    )
                if choice.of(record.steps[step]) is not None:
                    self.states.append((item, step))
        self._instance = functools.lru_cache(maxsize=kept)(self._read)

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, position: int) -> ExpertState:
        item, step = self.states[position]
        record, static = self._instance(item)
        relaxations = record.relaxations(step, WINDOW) if self.relaxed else None
        dynamic = dynamic_features(record.window(step, WINDOW), relaxations, self.window)
        chosen = self.choice.of(record.steps[step])
        assert chosen is not None
        sets, positives = chosen
        return ExpertState(
            np.concatenate([static["variables"], dynamic], axis=1),
            static["rows"],
            static["edge_index"].astype(np.int64),
            static["edges"],
            sets.members.astype(np.int64),
            sets.set_of_member,
            np.arange(len(sets)) < positives,
            sets.gain,
        )

    def _read(self, item: str) -> tuple[ExpertRecord, dict[str, np.ndarray]]:
        record, payload = self.records.record(item), self.features.get(item)
        if record is None or payload is None:
            raise InvalidProblem(f"the artifact of instance {item} is damaged or gone; run again to collect it anew")
        return record, npz_arrays(payload)
