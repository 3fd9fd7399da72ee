"""Published numbers, ``conf/experiment/<paper>/published.yaml``: what reports print next to ours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runs.claims.metrics import FRACTIONS
from runs.errors import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"


@dataclass(frozen=True)
class Published:
    """One published number.

    Parameters
    ----------
    value
        None where the source could not be read.
    std, n
        Standard deviation (not error) over ``n`` seeds or repetitions, in the unit of ``value``; None where not printed.
    unit
        That of our metric; "%" is understood for the metrics that are shown in percent (``runs.claims.metrics.FRACTIONS``).
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

    @property
    def in_percent(self) -> bool:
        """True if it is printed in percent where ours is a share."""
        return self.metric in FRACTIONS and self.unit == "%"

    def in_our_unit(self, number: float | None) -> float | None:
        """A number of this entry, its value or its standard deviation, in the unit of ours."""
        return number / 100 if number is not None and self.in_percent else number

    def fits(self, experiment: str, method: str, metric: str, dataset: str) -> bool:
        """True if results of ours measure the same thing; the small version of an experiment counts as the experiment."""
        if (method, metric) != (self.method, self.metric):
            return False
        if self.dataset and not _same(dataset, self.dataset):
            return False
        return not self.experiment or _same(experiment, self.experiment.rsplit("/", 1)[-1])


def load_published(paper: str, conf: Path = CONF) -> list[Published]:
    """The published numbers of a paper; none if it has no such file.

    Raises
    ------
    ConfigError
        The file breaks the format: names file, entry and field.
    """
    path = conf / "experiment" / paper / "published.yaml"
    return [_entry(path, paper, i, item) for i, item in enumerate(read_entries(path))]


def read_entries(path: Path) -> list[Any]:
    """The list in a YAML file; empty if there is no such file.

    Raises
    ------
    ConfigError
        Not YAML, or not a list.
    """
    if not path.exists():
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return []
    if not isinstance(content, list):
        raise ConfigError(f"{path}: expected a list of entries, found {type(content).__name__}")
    return content


def _entry(path: Path, paper: str, position: int, item: Any) -> Published:
    where = f"{path}: entry {position + 1}"
    if not isinstance(item, dict):
        raise ConfigError(f"{where}: expected a mapping, found {type(item).__name__}")
    known = set(Published.__dataclass_fields__) - {"paper"}
    if unknown := sorted(set(item) - known):
        raise ConfigError(f"{where}: unknown field '{unknown[0]}'; known are {', '.join(sorted(known))}")
    for name in ("method", "metric", "source"):
        if not isinstance(item.get(name), str) or not item[name]:
            raise ConfigError(f"{where}: field '{name}' must be a text, found {item.get(name)!r}")
    value, (std, n) = _number(where, "value", item.get("value")), _spread(where, item)
    texts = {name: str(item.get(name) or "") for name in known - {"value", "recalled", "std", "n"}}
    recalled = bool(item.get("recalled")) or texts["source"].lower().startswith("recalled")
    return Published(paper=paper, value=value, recalled=recalled, std=std, n=n, **texts)


def _spread(where: str, item: dict[str, Any]) -> tuple[float | None, int | None]:
    std, n = _number(where, "std", item.get("std")), item.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ConfigError(f"{where}: field 'n' must be a number of repetitions, 1 or more, found {n!r}")
    if std is not None and std < 0:
        raise ConfigError(f"{where}: field 'std' must not be negative, found {std:g}")
    if std is not None and (n is None or n < 2):
        raise ConfigError(f"{where}: field 'std' needs field 'n', the 2 or more repetitions it is taken over")
    if std is not None and item.get("value") is None:
        raise ConfigError(f"{where}: field 'std' needs field 'value'")
    return std, n


def _number(where: str, name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where}: field '{name}' must be a number or null, found {value!r}")
    return float(value)


def _same(ours: str, theirs: str) -> bool:
    return ours == theirs or ours.removesuffix("_small") == theirs
