"""The one harness: contenders in turn (A B A B ...), medians, and ratios to a baseline within each round.

On a busy machine seconds drift and ratios of neighbouring runs do not: a ratio is taken per round, between runs that
followed each other, and reported as median and range over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Literal

from benchmarks.measure import Probe, Run, measure
from runs import interrupt


@dataclass(frozen=True)
class Target:
    """A bound on the ratio of one contender's amount to the baseline's."""

    contender: str
    quantity: str
    unit: str
    limit: float
    sense: Literal["at most", "at least"] = "at most"

    def met(self, ratio: float) -> bool:
        return ratio <= self.limit if self.sense == "at most" else ratio >= self.limit


@dataclass(frozen=True)
class Case:
    """Contenders for the same job.

    Parameters
    ----------
    title
        The job, with its size.
    contenders
        Name to run, in the order in which they take turns.
    baseline
        The contender to which the others are put in relation.
    targets
        Promises about the ratios.
    score
        Called once with ``scores[round][contender]`` after all rounds, for amounts that need all results (primal gaps).
    warm_up
        Run every contender once untimed before the first round.
    """

    title: str
    contenders: Mapping[str, Run]
    baseline: str
    targets: Sequence[Target] = ()
    score: Callable[[Sequence[Mapping[str, Probe]]], None] | None = None
    warm_up: bool = True


@dataclass(frozen=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One amount of one contender; ``ratio`` is contender over baseline, None where the baseline has no such amount."""

    case: str
    contender: str
    quantity: str
    unit: str
    amount: Spread
    ratio: Spread | None
    rounds: int
    remark: str = ""

    def flat(self) -> dict[str, object]:
        """The row as plain columns."""
        nested = asdict(self)
        columns = {key: nested[key] for key in ("case", "contender", "quantity", "unit", "rounds", "remark")}
        for key in ("amount", "ratio"):
            spread = nested[key] or dict.fromkeys(("median", "low", "high"))
            columns |= {f"{key}_{name}": value for name, value in spread.items()}
        return columns


@dataclass
class Harness:
    """Runs cases ``repeats`` rounds each and tells ``progress`` what it is at."""

    repeats: int = 5
    progress: Callable[[str], None] = field(default=lambda text: None)

    def compare(self, case: Case) -> list[Row]:
        """All contenders in turn, round by round; the order turns round in every second round.

        Raises
        ------
        Interrupted
            A signal asked to stop; the case is dropped.
        """
        names = list(case.contenders)
        for name in names if case.warm_up else ():
            self.progress(f"{case.title}: warm-up, {name}")
            measure(case.contenders[name], -1)
            interrupt.check()
        rounds: list[dict[str, Probe]] = []
        for index in range(self.repeats):
            probes = {}
            for name in names if index % 2 == 0 else reversed(names):
                self.progress(f"{case.title}: round {index + 1} of {self.repeats}, {name}")
                probes[name] = measure(case.contenders[name], index)
                interrupt.check()  # a solver that was stopped by a signal has measured nothing
            rounds.append(probes)
        if case.score is not None:
            case.score(rounds)
        return [row for name in names for row in _rows(case, name, rounds)]


def _rows(case: Case, name: str, rounds: Sequence[Mapping[str, Probe]]) -> list[Row]:
    rows = []
    for quantity, unit in rounds[0][name].amounts:
        amounts = [probes[name].amounts[quantity, unit] for probes in rounds]
        bases = [probes[case.baseline].amounts.get((quantity, unit)) for probes in rounds]
        ratios = [amount / base for amount, base in zip(amounts, bases, strict=True) if base]
        ratio = Spread.of(ratios) if ratios else None
        verdict = _verdict(case, name, quantity, unit, ratio)
        notes = dict.fromkeys([verdict, *(probes[name].note for probes in rounds)])
        remark = "; ".join(note for note in notes if note)
        rows.append(Row(case.title, name, quantity, unit, Spread.of(amounts), ratio, len(rounds), remark))
    return rows


def _verdict(case: Case, name: str, quantity: str, unit: str, ratio: Spread | None) -> str:
    """Whether the median ratio keeps the target on this amount, if there is one."""
    for target in case.targets:
        if ratio is not None and (target.contender, target.quantity, target.unit) == (name, quantity, unit):
            kept = "met" if target.met(ratio.median) else "missed"
            return f"{target.sense} {target.limit:g}: {kept}"
    return ""
