"""Published numbers, ``conf/experiment/<paper>/published.yaml``: what reports print next to ours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from runs.claims.declaration import mapping, number_or_null, only, read, text
from runs.claims.metrics import Metrics
from runs.environment import CONF
from runs.errors import ConfigError


@dataclass(frozen=True)
class Published:
    """One published number, or what is known of published runs whose numbers could not be read.

    Parameters
    ----------
    method, metric
        Empty where no number of a data set could be read: then the protocol of its runs is all there is.
    value
        None where the source could not be read.
    std, n
        Standard deviation (not error) over ``n`` seeds or repetitions, in the unit of ``value``; None where not printed.
    unit
        That of our metric; "%" is understood for metrics that are shares of 1 (``format: percent``).
    recalled
        Not checked against the source.
    """

    paper: str
    method: str
    metric: str
    value: float | None
    source: str
    dataset: str = ""
    experiment: str = ""
    unit: str = ""
    protocol: str = ""
    note: str = ""
    recalled: bool = False
    std: float | None = None
    n: int | None = None

    def fits(self, experiment: str, method: str, metric: str, dataset: str) -> bool:
        """True if results of ours measure the same thing; the small version of an experiment counts as the experiment."""
        if (method, metric) != (self.method, self.metric):
            return False
        if self.dataset and not _same(dataset, self.dataset):
            return False
        return not self.experiment or _same(experiment, self.experiment.rsplit("/", 1)[-1])


_FIELDS = tuple(field.name for field in fields(Published) if field.name != "paper")


def load_published(paper: str, conf: Path = CONF, metrics: Metrics | None = None) -> list[Published]:
    """The published numbers of a paper; none if it has no such file.

    Raises
    ------
    ConfigError
        The file breaks the format, or gives a number in another unit than ``metrics`` has: names file, entry and field.
    """
    path = conf / "experiment" / paper / "published.yaml"
    return [
        _entry(f"{path}: entry {i + 1}", paper, item, metrics or Metrics()) for i, item in enumerate(read(path, list))
    ]


def _entry(where: str, paper: str, item: Any, metrics: Metrics) -> Published:
    only(where, mapping(where, item), _FIELDS)
    unread = not {"method", "metric", "value"} & set(item)
    for name in ("dataset", "source", "protocol") if unread else ("method", "metric", "source"):
        text(where, name, item.get(name))
    value, (std, n) = number_or_null(where, "value", item.get("value")), _spread(where, item)
    texts = {name: str(item.get(name) or "") for name in _FIELDS if name not in ("value", "recalled", "std", "n")}
    recalled = bool(item.get("recalled")) or texts["source"].lower().startswith("recalled")
    ours = metrics.of(texts["metric"])
    if ours.declared and texts["unit"] not in ("", ours.unit, ours.shown_unit):
        raise ConfigError(
            f"{where}: field 'unit' is '{texts['unit']}', but '{ours.name}' is declared in '{ours.shown_unit}'; "
            "give the number in that unit"
        )
    return Published(paper=paper, value=value, recalled=recalled, std=std, n=n, **texts)


def _spread(where: str, item: dict[str, Any]) -> tuple[float | None, int | None]:
    std, n = number_or_null(where, "std", item.get("std")), item.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ConfigError(f"{where}: field 'n' must be a number of repetitions, 1 or more, found {n!r}")
    if std is not None and std < 0:
        raise ConfigError(f"{where}: field 'std' must not be negative, found {std:g}")
    if std is not None and (n is None or n < 2):
        raise ConfigError(f"{where}: field 'std' needs field 'n', the 2 or more repetitions it is taken over")
    if std is not None and item.get("value") is None:
        raise ConfigError(f"{where}: field 'std' needs field 'value'")
    return std, n


def _same(ours: str, theirs: str) -> bool:
    return ours == theirs or ours.removesuffix("_small") == theirs
