"""What a paper asserts: the entries of ``conf/experiment/<paper>/claims.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from runs.anytime import Clock
from runs.claims import statistics
from runs.claims.declaration import mapping, number, one_of, only, read, text
from runs.environment import CONF
from runs.errors import ConfigError

PUBLISHED = "published"
_TEST_FIELDS = ("kind", "over", "level", "minimal_effect", "relative", "ratio", "at")
_REQUIRED = ("id", "statement", "source", "metric", "better", "ours", "against", "experiment")
_OPTIONAL = ("controls", "test")


@dataclass(frozen=True)
class Claim:
    """One entry of a ``claims.yaml``.

    Parameters
    ----------
    metric
        A metric of the results, or one of the recomputed anytime metrics; ``<metric>/<data set>`` looks at that set alone.
    ours
        A method; where ``against`` is ``published``, a name of the reader's choice for what is ours, as all methods count.
    against
        Method names, every one of which must be beaten; or one number; or ``published``, all the published numbers of this
        metric (and data set) for the experiment, which ours must agree with.
    controls
        For a method, the one whose value is subtracted from its own before anything is compared: differences in differences.
    kind, over, level
        The paired test; pairs are instances (averaged over seeds) or seeds (averaged over instances). Against ``published``
        it is ``welch``: of the means over seeds, adjusted over the numbers compared (Holm).
    minimal_effect
        What the effect must exceed; a negative value asks for "not worse by more than".
    relative
        Effect and minimal effect are fractions of the mean magnitude of ``against``.
    ratio
        Pairs are compared by their ratio: effect and minimal effect are the geometric mean of how many times better ours
        is, less 1.
    at
        Clock and position at which an anytime metric is read; None for the end.
    """

    paper: str
    id: str
    statement: str
    source: str
    metric: str
    better: str
    ours: str
    against: tuple[str, ...] | float
    experiment: str
    kind: statistics.TestKind | Literal["welch"] = "wilcoxon"
    over: str = "instances"
    level: float = 0.05
    minimal_effect: float = 0.0
    relative: bool = False
    ratio: bool = False
    at: tuple[Clock, float] | None = None
    controls: Mapping[str, str] = field(default_factory=dict)

    @property
    def asserts_agreement(self) -> bool:
        """True for a claim that our numbers are the published ones."""
        return self.kind == "welch"

    @property
    def in_shares(self) -> bool:
        """True where an effect is a fraction, not in the metric's unit."""
        return self.relative or self.ratio

    @property
    def opponents(self) -> tuple[str | float, ...]:
        return self.against if isinstance(self.against, tuple) else (self.against,)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of all methods that a paired claim looks at."""
        return self.ours, *(name for name in self.opponents if isinstance(name, str)), *self.controls.values()


def load_claims(paper: str, conf: Path = CONF) -> list[Claim]:
    """The claims of a paper; none if it has no ``claims.yaml``.

    Raises
    ------
    ConfigError
        The file breaks the format: names file, entry and field.
    """
    path = conf / "experiment" / paper / "claims.yaml"
    claims = [_parse(path, paper, i, item) for i, item in enumerate(read(path, list))]
    ids = [claim.id for claim in claims]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise ConfigError(f"{path}: entry '{twice}': field 'id' is used twice; ids must be unique")
    return claims


def _parse(path: Path, paper: str, position: int, item: Any) -> Claim:
    label = f"'{item['id']}'" if isinstance(item, dict) and isinstance(item.get("id"), str) else str(position + 1)
    where = f"{path}: entry {label}"
    test = mapping(where, item).get("test") or {}
    if not isinstance(test, dict):
        raise ConfigError(f"{where}: field 'test' must be a mapping such as {{kind: wilcoxon, over: instances}}")
    only(where, item, (*_REQUIRED, *_OPTIONAL))
    only(where, test, _TEST_FIELDS, "test.")
    texts = {name: text(where, name, item.get(name)) for name in _REQUIRED if name != "against"}
    one_of(where, "better", item["better"], ("lower", "higher"))
    kind = one_of(where, "test.kind", test.get("kind", "wilcoxon"), (*statistics.TEST_KINDS, "welch"))
    if (item.get("against") == PUBLISHED) != (kind == "welch"):
        raise ConfigError(f"{where}: 'against: {PUBLISHED}' and 'test.kind: welch' need each other")
    if kind == "welch":
        _refuse_what_pairs_need(where, test)
    over = one_of(
        where, "test.over", test.get("over", "seeds" if kind == "welch" else "instances"), ("instances", "seeds")
    )
    level = number(where, "test.level", test.get("level", 0.05))
    if not 0 < level < 1:
        raise ConfigError(f"{where}: field 'test.level' must lie between 0 and 1, found {level:g}")
    for name in ("relative", "ratio"):
        if not isinstance(test.get(name, False), bool):
            raise ConfigError(f"{where}: field 'test.{name}' must be true or false, found {test[name]!r}")
    if test.get("relative") and test.get("ratio"):
        raise ConfigError(f"{where}: fields 'test.relative' and 'test.ratio' are two scales; give one of them")
    if kind == "sign" and test.get("minimal_effect"):
        raise ConfigError(f"{where}: field 'test.minimal_effect' does not go with kind sign, which only counts pairs")
    if item["experiment"].count("/") != 1 or not item["experiment"].startswith(f"{paper}/"):
        raise ConfigError(f"{where}: field 'experiment' must read {paper}/<name>, found '{item['experiment']}'")
    return Claim(
        paper=paper,
        **texts,
        against=_parse_against(where, item.get("against")),
        kind=cast(Any, kind),
        over=over,
        level=level,
        minimal_effect=number(where, "test.minimal_effect", test.get("minimal_effect", 0.0)),
        relative=test.get("relative", False),
        ratio=test.get("ratio", False),
        at=_parse_at(where, test.get("at")),
        controls=_parse_controls(where, item.get("controls", {}), item),
    )


def _refuse_what_pairs_need(where: str, test: dict[str, Any]) -> None:
    """Means of unpaired seeds have no instances to pair, no mean to be relative to, and no anytime curve."""
    if test.get("over", "seeds") != "seeds":
        raise ConfigError(f"{where}: field 'test.over' must be seeds for kind welch, found {test['over']!r}")
    if name := next((name for name in ("minimal_effect", "relative", "ratio", "at") if name in test), None):
        raise ConfigError(f"{where}: field 'test.{name}' does not apply to kind welch")


def _parse_against(where: str, value: Any) -> tuple[str, ...] | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(
            f"{where}: field 'against' must be a method name, a list of them, a number, or {PUBLISHED}; found {value!r}"
        )
    return tuple(names)


def _parse_controls(where: str, value: Any, item: dict[str, Any]) -> dict[str, str]:
    against = item.get("against")
    named = [] if against == PUBLISHED else [item["ours"], *(against if isinstance(against, list) else [against])]
    if not isinstance(value, dict) or not all(name in named and isinstance(value[name], str) for name in value):
        raise ConfigError(
            f"{where}: field 'controls' must map methods of 'ours' or 'against' to the methods to subtract, found {value!r}"
        )
    scale = next((name for name in ("relative", "ratio") if (item.get("test") or {}).get(name)), None)
    if value and scale:
        raise ConfigError(
            f"{where}: field 'test.{scale}' does not go with 'controls': their differences may be near zero"
        )
    return dict(value)


def _parse_at(where: str, value: Any) -> tuple[Clock, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in ("seconds", "evaluations"):
        raise ConfigError(f"{where}: field 'test.at' must be {{seconds: x}} or {{evaluations: x}}, found {value!r}")
    clock, position = next(iter(value.items()))
    return clock, number(where, f"test.at.{clock}", position)
