"""Published numbers, ``conf/experiment/<paper>/published.yaml``: what reports print next to ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runs.errors import ConfigError

CONF = Path(__file__).resolve().parent.parent / "conf"


@dataclass(frozen=True)
class Published:
    """One published number. ``value`` is None where the source could not be read; ``recalled`` marks it as unchecked."""

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
    value = item.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ConfigError(f"{where}: field 'value' must be a number or null, found {value!r}")
    texts = {name: str(item.get(name) or "") for name in known - {"value", "recalled"}}
    recalled = bool(item.get("recalled")) or texts["source"].lower().startswith("recalled")
    return Published(paper=paper, value=None if value is None else float(value), recalled=recalled, **texts)


def _same(ours: str, theirs: str) -> bool:
    return ours == theirs or ours.removesuffix("_small") == theirs
