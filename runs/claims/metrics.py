"""What a reader of a paper's reports should see: ``conf/experiment/<paper>/metrics.yaml``.

``metrics`` maps names to the fields of :class:`~runs.claims.metric.Metric`, ``headline`` patterns of experiments to the
metrics that come first there, ``extends`` names what is taken over: sets of ``conf/experiment/metrics.yaml``, or a paper.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from runs.anytime import Clock
from runs.claims import declaration
from runs.claims.metric import MEAN_KINDS, Direction, Metric, NumberFormat
from runs.environment import CONF
from runs.errors import ConfigError, nearest

FILE = "metrics.yaml"
_FIELDS = tuple(item.name for item in fields(Metric) if item.name not in ("name", "place"))
_AT = re.compile(r"(?P<base>.+)_at_(?P<moment>[^_/]+)_(?P<clock>seconds|evaluations)")

Headline = tuple[str, tuple[tuple[str, ...], ...]]
"""A pattern of experiments, and lists of metrics of which the first counts that has a measured one."""


class Metrics:
    """The metrics of a paper.

    ``primal_gap/ca_small`` (of one data set) and ``primal_gap_at_30_seconds`` are shown as ``primal_gap`` is.

    Parameters
    ----------
    declared
        In the order in which they are to be shown.
    headlines
        The first one counts that fits an experiment and has a measured metric.
    """

    def __init__(self, declared: Iterable[Metric] = (), headlines: Iterable[Headline] = ()) -> None:
        placed = [replace(metric, place=place) for place, metric in enumerate(declared)]
        self._named = {metric.name: metric for metric in placed if "*" not in metric.name}
        self._families = [metric for metric in placed if "*" in metric.name]
        self._headlines = tuple(headlines)

    @property
    def names(self) -> list[str]:
        """Of those that are declared one by one."""
        return list(self._named)

    def of(self, name: str) -> Metric:
        """How a metric is shown, declared or not."""
        return self._find(name) or Metric(name, label=name)

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Names in the order of the declaration, then those that nobody declared."""
        return sorted(names, key=lambda name: self.of(name).order)

    def headline(self, experiment: str, measured: Collection[str], clock: Clock = "seconds") -> list[str]:
        """Which of the measured metrics come first in an experiment whose budget counts ``clock``, as far as declared."""
        for pattern, alternatives in self._headlines:
            for names in alternatives if fnmatchcase(experiment, pattern) else ():
                found = dict.fromkeys(name for wanted in names for name in self._fitting(wanted, measured))
                if found := {name: None for name in found if self.of(name).clock in (None, clock)}:
                    return self._accompanied(list(found), measured)
        return []

    def with_ratios(self, results: pd.DataFrame) -> pd.DataFrame:
        """The results of this paper with those metrics that are ratios to a method."""
        made = [_ratios(results, metric) for metric in self._named.values() if metric.ratio is not None]
        return pd.concat([results, *made], ignore_index=True) if made else results

    def _accompanied(self, found: list[str], measured: Collection[str]) -> list[str]:
        """With what is to stand beside one of them."""
        for metric in self._named.values():
            beside = next((name for name in found if name in metric.beside), None)
            if beside is not None and metric.name in measured and metric.name not in found:
                found.insert(found.index(beside) + 1, metric.name)
        return found

    def _fitting(self, wanted: str, measured: Collection[str]) -> list[str]:
        return self.ordered(name for name in whole(measured) if fnmatchcase(name, wanted))

    def _find(self, name: str) -> Metric | None:
        if name in self._named:
            return self._named[name]
        base, _, dataset = name.rpartition("/")
        if base and (found := self._find(base)):
            return replace(found, name=name, label=f"{found.label}, {dataset}")
        at = _AT.fullmatch(name)
        if at and (found := self._find(at["base"])):
            return replace(found, name=name, label=f"{found.label} at {at['moment']} {at['clock']}")
        for family in self._families:
            if star := re.fullmatch(re.escape(family.name).replace(r"\*", "([^/]*)"), name):
                return replace(family, name=name, label=family.label.replace("*", self._in_words(star[1])))
        return None

    def _in_words(self, star: str) -> str:
        """A metric by its label, 0_005 as 0.005."""
        found = self._find(star)
        return found.label if found else re.sub(r"(?<=\d)_(?=\d)", ".", star).replace("_", " ")


class PaperMetrics(dict[str, Metrics]):
    """The metrics of several papers, by paper; one that is not there has declared none."""

    def with_ratios(self, results: pd.DataFrame) -> pd.DataFrame:
        """Results of several papers with those metrics that are ratios to a method."""
        parts = [self[str(paper)].with_ratios(rows) for paper, rows in results.groupby("paper", sort=False)]
        return pd.concat(parts, ignore_index=True) if parts else results

    def __missing__(self, paper: str) -> Metrics:
        return Metrics()

    def of(self, paper: str, name: str) -> Metric:
        """How a metric of a paper is shown."""
        return self[paper].of(name)

    def shown(self, names: Iterable[tuple[str, str]]) -> dict[str, Metric]:
        """Metrics of (paper, name) pairs by name, in order; of papers that share a name, as one of them declares it."""
        found: dict[str, Metric] = {}
        for metric in sorted((self.of(paper, name) for paper, name in set(names)), key=lambda metric: metric.order):
            found.setdefault(metric.name, metric)
        return found


UNDECLARED = PaperMetrics()


def _ratios(results: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    assert metric.ratio is not None
    rows = results[results["metric"] == metric.ratio["of"]]
    rows = rows[rows.groupby("experiment")["method"].transform("nunique") > 1]
    key = ["experiment", "instance", "seed"]
    reference = rows.loc[rows["method"] == metric.ratio["to"], [*key, "value"]]
    both = rows.merge(reference, on=key, suffixes=("", "_of_reference"))
    both["value"] = both["value"] / both.pop("value_of_reference")
    return both.dropna(subset="value").assign(metric=metric.name)


def whole(measured: Collection[str]) -> list[str]:
    """Metrics without those rows that are of one data set of another metric."""
    return [name for name in measured if name.rpartition("/")[0] not in measured]


def load_metrics(paper: str, conf: Path = CONF) -> Metrics:
    """The metrics of a paper; none are declared if it has no ``metrics.yaml``.

    Raises
    ------
    ConfigError
        The file, or what it extends, breaks the format: names file, entry and field.
    """
    found = _of_paper(conf / "experiment" / paper / FILE, conf)
    return Metrics(found.metrics.values(), found.headlines)


@dataclass
class _Declared:
    """What a file or a set says, less or with what it extends."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    headlines: list[Headline] = field(default_factory=list)

    def extend(self, other: _Declared) -> None:
        """Take over what is not declared here. What is taken over is shown ahead, its headlines count last."""
        self.metrics = {**other.metrics, **self.metrics}
        self.headlines += other.headlines


def _of_paper(path: Path, conf: Path, through: tuple[str, ...] = ()) -> _Declared:
    return _parsed(str(path), declaration.read(path, dict), conf, through)


def _parsed(where: str, content: dict[Any, Any], conf: Path, through: tuple[str, ...]) -> _Declared:
    declaration.only(where, content, ("extends", "metrics", "headline"))
    entries = declaration.mapping(f"{where}: field 'metrics'", content.get("metrics", {}))
    found = _Declared(
        {str(name): _metric(f"{where}: metric '{name}'", str(name), item) for name, item in entries.items()}
    )
    for name in _texts(f"{where}: field 'extends'", content["extends"]) if "extends" in content else ():
        found.extend(_extended(where, name, conf, (*through, where)))
    headlines = declaration.mapping(f"{where}: field 'headline'", content.get("headline", {}))
    own = [
        _headline(f"{where}: headline '{pattern}'", str(pattern), item, found) for pattern, item in headlines.items()
    ]
    found.headlines = [*own, *found.headlines]
    return found


def _metric(where: str, name: str, item: Any) -> Metric:
    given = dict(declaration.mapping(where, item))
    declaration.only(where, given, _FIELDS)
    if name.count("*") > 1 or name == "*":
        raise ConfigError(f"{where}: the name of a family has one '*', and something beside it")
    for required in ("label", "direction"):
        declaration.text(where, required, given.get(required))
    if given["label"].count("*") != name.count("*"):
        raise ConfigError(
            f"{where}: field 'label' must have a '*' just where the name has one, found '{given['label']}'"
        )
    for optional in {"unit", "description"} & set(given):
        declaration.text(where, optional, given[optional])
    declaration.one_of(where, "direction", given["direction"], get_args(Direction))
    written = declaration.one_of(where, "format", given.get("format", "significant"), get_args(NumberFormat))
    if "clock" in given:
        declaration.one_of(where, "clock", given["clock"], get_args(Clock))
    if written == "percent" and "unit" in given:
        raise ConfigError(f"{where}: field 'unit' does not go with format percent, whose numbers are shares of 1")
    if type(given.get("per_instance", False)) is not bool:
        raise ConfigError(f"{where}: field 'per_instance' must be true or false, found {given['per_instance']!r}")
    declaration.one_of(where, "mean", given.get("mean", "arithmetic"), MEAN_KINDS)
    if "ratio" in given:
        ratio = declaration.mapping(f"{where}: field 'ratio'", given["ratio"])
        declaration.only(where, ratio, ("of", "to"), "ratio.")
        given["ratio"] = {key: declaration.text(where, f"ratio.{key}", ratio.get(key)) for key in ("of", "to")}
        given.setdefault("mean", "geometric")
    if "beside" in given:
        given["beside"] = _texts(f"{where}: field 'beside'", given["beside"])
    digits = given.get("digits")
    if digits is not None and (written == "integer" or type(digits) is not int or not 1 <= digits <= 15):
        raise ConfigError(
            f"{where}: field 'digits' must be 1 to 15 significant digits, and none for an integer; found {digits!r}"
        )
    return Metric(name, **given)


def _headline(where: str, pattern: str, item: Any, found: _Declared) -> Headline:
    several = isinstance(item, list) and any(isinstance(names, list) for names in item)
    alternatives = tuple(_texts(where, names) for names in (item if several else [item]))
    known, declared = Metrics(found.metrics.values()), list(found.metrics)
    for name in (name for names in alternatives for name in names):
        if not known.of(name).declared and not any(fnmatchcase(each, name) for each in declared):
            raise ConfigError(f"{where}: metric '{name}' is not declared{nearest(name, declared)}")
    return pattern, alternatives


def _texts(where: str, value: Any) -> tuple[str, ...]:
    """One name or several."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{where}: expected a name or a list of names, found {value!r}")
    return tuple(names)


def _extended(where: str, name: str, conf: Path, through: tuple[str, ...]) -> _Declared:
    """A set, or the declaration of a paper; of the configuration at hand, else of the repository."""
    known = []
    for folder in dict.fromkeys((conf, CONF)):
        shared, own = folder / "experiment" / FILE, folder / "experiment" / name / FILE
        sets, of_set = declaration.read(shared, dict), f"{shared}: set '{name}'"
        if name in sets and of_set not in through:
            return _parsed(of_set, declaration.mapping(of_set, sets[name]), conf, through)
        if own.exists() and str(own) not in through:
            return _of_paper(own, conf, through)
        known += [*map(str, sets), *(each.parent.name for each in sorted(shared.parent.glob(f"*/{FILE}")))]
    if name in known:
        raise ConfigError(f"{where}: field 'extends': '{name}' extends this in turn")
    raise ConfigError(f"{where}: field 'extends' names no set of metrics and no paper: '{name}'{nearest(name, known)}")
