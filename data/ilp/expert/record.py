"""What the local branching expert leaves behind on one instance (docs/papers/cl_lns.md#2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from data.ilp.root_lp import RootLP
from data.ilp.root_rows import RootRows
from runs.store.cache import npz_arrays, npz_bytes


@dataclass(frozen=True, eq=False)
class VariableSets:
    """Sets of variables with what freeing each was worth, as index lists.

    Parameters
    ----------
    members
        (L,) int32, the variables of all sets, one set after the other, ascending within a set.
    sizes
        (S,) int32, members of each set.
    gain
        (S,) improvement of the objective that was found with this set free, >= 0.
    swapped
        (S,) int32, how many members of the best set were exchanged for others; 0 marks the sets that local branching
        flipped itself.
    """

    members: np.ndarray
    sizes: np.ndarray
    gain: np.ndarray
    swapped: np.ndarray

    @classmethod
    def of(cls, sets: Sequence[tuple[np.ndarray, float, int]]) -> VariableSets:
        """From (members, gain, swapped) of each set."""
        return cls(
            np.concatenate([np.empty(0, np.int32), *(np.sort(members) for members, _, _ in sets)]).astype(np.int32),
            np.array([len(members) for members, _, _ in sets], np.int32),
            np.array([gain for _, gain, _ in sets], np.float64),
            np.array([swapped for _, _, swapped in sets], np.int32),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def set_of_member(self) -> np.ndarray:
        """(L,) int, the set that each member belongs to."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def take(self, chosen: np.ndarray) -> VariableSets:
        """The sets with indices ``chosen`` (sets,) int, in that order."""
        ends = np.cumsum(self.sizes)
        pieces = [self.members[ends[i] - self.sizes[i] : ends[i]] for i in chosen]
        members = np.concatenate([np.empty(0, np.int32), *pieces])
        return VariableSets(members, self.sizes[chosen], self.gain[chosen], self.swapped[chosen])


@dataclass(frozen=True, eq=False)
class ExpertStep:
    """One step of local branching from one incumbent.

    Parameters
    ----------
    incumbent
        (n,) the assignment before the step.
    sets
        What the improving solutions changed, in the order they were found, then the perturbed copies of the best one.
    lb_gap, lb_seconds
        Relative gap between local branching's solution and its bound (NaN without a bound), and its time.
    perturbed_seconds
        Time of the perturbed sets' sub-ILPs.
    relaxation
        (n,) solution of the LP relaxation of local branching at ``incumbent``, or None where it was not asked for.
    """

    incumbent: np.ndarray
    sets: VariableSets
    lb_gap: float
    lb_seconds: float
    perturbed_seconds: float
    relaxation: np.ndarray | None = None

    @property
    def best_gain(self) -> float:
        """I*: the improvement of the best set."""
        return float(self.sets.gain[self.sets.swapped == 0].max())

    def good(self, share: float) -> np.ndarray:
        """(sets,) int, indices of local branching's sets that gain at least this share of I*, the best first."""
        good = np.flatnonzero((self.sets.swapped == 0) & (self.sets.gain >= share * self.best_gain))
        return good[np.argsort(-self.sets.gain[good], kind="stable")]

    def bad(self, share: float) -> np.ndarray:
        """(sets,) int, indices of the perturbed sets that gain at most this share of I*, in the order they were made."""
        return np.flatnonzero((self.sets.swapped > 0) & (self.sets.gain <= share * self.best_gain))


@dataclass(frozen=True, eq=False)
class ExpertRecord:
    """The steps of the expert on one instance, all in minimisation form; a record without end is continued from here.

    Parameters
    ----------
    name, fingerprint
        The instance, and the hash of its content (:attr:`data.ilp.problem.ILP.fingerprint`).
    lp
        The root LP, from which the static features are made.
    incumbent
        (n,) where the next step begins, or where the last one ended.
    steps
        One per improvement.
    end
        Why the expert stopped: ``no_improvement`` (local branching found none), ``steps``, or "" while it has not.
    rows
        The rows of ``lp`` where they are not the problem's own.
    """

    name: str
    fingerprint: str
    lp: RootLP
    incumbent: np.ndarray
    steps: tuple[ExpertStep, ...] = ()
    end: str = ""
    rows: RootRows | None = None

    def followed_by(self, step: ExpertStep, incumbent: np.ndarray) -> ExpertRecord:
        """The record after one more step, which led to ``incumbent`` (n,)."""
        return replace(self, steps=(*self.steps, step), incumbent=incumbent)

    def window(self, step: int, length: int) -> list[np.ndarray]:
        """The incumbent (n,) before a step, then earlier ones, newest first; at most ``length``."""
        return [self.steps[i].incumbent for i in range(step, max(-1, step - length), -1)]

    def relaxations(self, step: int, length: int) -> list[np.ndarray] | None:
        """The LP relaxations (n,) of local branching at :meth:`window`; None where they were not collected."""
        found = [self.steps[i].relaxation for i in range(step, max(-1, step - length), -1)]
        return None if any(x is None for x in found) else [x for x in found if x is not None]

    def to_bytes(self) -> bytes:
        """As an ``.npz`` payload without pickle."""
        sets = [step.sets for step in self.steps]
        arrays = {
            "name": np.array(self.name),
            "fingerprint": np.array(self.fingerprint),
            "end": np.array(self.end),
            "incumbents": np.stack([*(step.incumbent for step in self.steps), self.incumbent]),
            "sets_of_step": np.array([len(part) for part in sets], np.int64),
            "lb_gap": np.array([step.lb_gap for step in self.steps], np.float64),
            "lb_seconds": np.array([step.lb_seconds for step in self.steps], np.float64),
            "perturbed_seconds": np.array([step.perturbed_seconds for step in self.steps], np.float64),
        }
        relaxations = [step.relaxation for step in self.steps if step.relaxation is not None]
        if relaxations:
            arrays["relaxations"] = np.stack(relaxations)
        for column in fields(VariableSets):
            parts = [getattr(part, column.name) for part in (VariableSets.of([]), *sets)]
            arrays[f"sets/{column.name}"] = np.concatenate(parts)
        arrays |= {f"lp/{column.name}": np.asarray(getattr(self.lp, column.name)) for column in fields(RootLP)}
        if self.rows is not None:
            arrays |= {f"rows/{name}": array for name, array in self.rows.arrays().items()}
        return npz_bytes(arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> ExpertRecord:
        """Inverse of :meth:`to_bytes`."""
        arrays = npz_arrays(payload)
        for array in arrays.values():
            array.setflags(write=False)
        steps = tuple(_step(arrays, t) for t in range(len(arrays["lb_gap"])))
        columns: dict[str, Any] = {column.name: _plain(arrays[f"lp/{column.name}"]) for column in fields(RootLP)}
        name, fingerprint, end = (str(arrays[key]) for key in ("name", "fingerprint", "end"))
        rows = {key.removeprefix("rows/"): array for key, array in arrays.items() if key.startswith("rows/")}
        return cls(
            name,
            fingerprint,
            RootLP(**columns),
            arrays["incumbents"][-1],
            steps,
            end,
            RootRows.from_arrays(rows) if rows else None,
        )


def _step(arrays: Mapping[str, np.ndarray], t: int) -> ExpertStep:
    sizes = arrays["sets/sizes"]
    of_step = slice(*(int(arrays["sets_of_step"][:s].sum()) for s in (t, t + 1)))
    of_members = slice(*(int(sizes[:s].sum()) for s in (of_step.start, of_step.stop)))
    columns = {column.name: arrays[f"sets/{column.name}"][of_step] for column in fields(VariableSets)}
    return ExpertStep(
        arrays["incumbents"][t],
        VariableSets(**(columns | {"members": arrays["sets/members"][of_members]})),
        float(arrays["lb_gap"][t]),
        float(arrays["lb_seconds"][t]),
        float(arrays["perturbed_seconds"][t]),
        arrays["relaxations"][t] if "relaxations" in arrays else None,
    )


def _plain(array: np.ndarray) -> Any:
    """An array, or the number or text that became one without dimensions."""
    return array if array.ndim else array.item()
