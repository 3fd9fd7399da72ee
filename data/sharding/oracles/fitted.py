"""A device of formulas whose limits are fitted to measured costs, as a file that travels (docs/papers/neuroshard.md#2.6)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data.sharding.oracles.analytical import AnalyticalDevice, gpu11
from data.sharding.oracles.machine import this_machine
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, InvalidProblem
from runs.files import read_json

COMPUTE = (
    "cache", "memory_rate", "cache_rate", "forward_rate", "backward_rate", "sort_rate", "launch", "conflict",
)  # fmt: skip
LINKS = ("latency", "link_rate")
PULL = 0.01
"""Of a limit's logarithm to where it began: what no sample depends on stays there."""
BEGINS = (1, 10, 100)
"""Fits begin at gpu11's limits, slowed down until the median is right, with a cache so many times as large."""
HELD_SHARE = 0.2
"""Of the samples: not fitted, and what the fit is judged by."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ComputeSamples:
    """Shards with their measured costs.

    Parameters
    ----------
    tables
        Of the pieces.
    pieces
        Of shards that all hold something, numbered through.
    cost
        (shards,) ms.
    """

    tables: EmbeddingTables
    pieces: Pieces
    cost: Float[np.ndarray, " shards"]


@dataclass(frozen=True, eq=False)
class ExchangeSamples:
    """Exchanges with their measured costs, and of the forward ones when each device begins.

    Parameters
    ----------
    dim_sums
        (samples, devices)
    cost
        (samples, devices) ms.
    start
        (samples, devices) ms; None: these are backward ones.
    """

    dim_sums: Float[np.ndarray, "samples devices"]
    cost: Float[np.ndarray, "samples devices"]
    start: Float[np.ndarray, "samples devices"] | None = None


@dataclass(frozen=True)
class Fitted:
    """A device and how well it tells what was measured.

    Parameters
    ----------
    limits
        Of :class:`~data.sharding.oracles.analytical.AnalyticalDevice`.
    machine
        Where it was measured.
    kernel
        What was.
    batch
        Samples in a batch.
    quality
        ``compute_mape``, ``compute_r2`` (of logarithms), ``exchange_mape`` and ``exchange_r2``, on samples that were not
        fitted.
    """

    limits: dict[str, float]
    machine: str
    kernel: str
    batch: int
    quality: dict[str, float]

    def device(self, skew: bool = True) -> AnalyticalDevice:
        """As an oracle."""
        return _device(self.limits, skew)

    def to_json(self) -> str:
        """What a file holds that :func:`fitted` reads."""
        return json.dumps(asdict(self), indent=1)


def fit_device(
    compute: ComputeSamples, exchanges: list[ExchangeSamples], machine: str, kernel: str, seed: int = 0
) -> Fitted:
    """Least squares on the logarithm of the cost.

    Raises
    ------
    ConfigError
        There are too few samples to fit and to judge by.
    """
    if len(compute.cost) < 2 * len(COMPUTE):
        raise ConfigError(
            f"{len(compute.cost)} shards were measured; a device needs at least {2 * len(COMPUTE)} to be fitted"
        )
    limits, of_compute = _fit_compute(compute, np.random.default_rng(seed))
    links, of_exchanges = _fit_links(compute.tables, exchanges, np.random.default_rng(seed))
    return Fitted(limits | links, machine, kernel, compute.tables.batch, of_compute | of_exchanges)


def _fit_compute(samples: ComputeSamples, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    shards = len(samples.cost)
    added, largest = gpu11().sums(samples.tables, samples.pieces, shards)
    logarithm = np.log(samples.cost)
    begin = {name: float(gpu11().limits[name]) for name in COMPUTE}
    slower = float(np.exp(np.median(logarithm - _log_cost(begin, added, largest))))
    begin = {
        name: value * slower if name in ("launch", "conflict") else value / slower for name, value in begin.items()
    }
    held = _held(shards, rng)
    found = []
    for larger in BEGINS:
        start = np.log([value * larger if name == "cache" else value for name, value in begin.items()])

        def predicted(x: np.ndarray, some: np.ndarray) -> np.ndarray:
            return _log_cost(dict(zip(COMPUTE, np.exp(x), strict=True)), added[some], largest[some])

        found.append(_least_squares(predicted, logarithm, start, ~held))
    best = min(found, key=lambda each: each[1])[0]
    limits = dict(zip(COMPUTE, np.exp(best).tolist(), strict=True))
    return limits, _quality("compute", _log_cost(limits, added[held], largest[held]), logarithm[held])


def _log_cost(limits: dict[str, float], added: np.ndarray, largest: np.ndarray) -> np.ndarray:
    device = _device({**limits, **dict.fromkeys(LINKS, 1.0)})
    return np.log(device.fused(added, largest, np.zeros(len(added), np.int64)))


def _fit_links(
    tables: EmbeddingTables, exchanges: list[ExchangeSamples], rng: np.random.Generator
) -> tuple[dict[str, float], dict[str, float]]:
    begin = {name: float(gpu11().limits[name]) for name in LINKS}
    if not exchanges:
        return begin, {}
    logarithm = np.concatenate([np.log(each.cost).ravel() for each in exchanges])
    held = np.concatenate([np.repeat(_held(len(each.cost), rng), each.cost.shape[1]) for each in exchanges])

    def predicted(x: np.ndarray, some: np.ndarray) -> np.ndarray:
        device = _device({**dict.fromkeys(COMPUTE, 1.0), **dict(zip(LINKS, np.exp(x), strict=True))})
        parts = [
            device.backward_communication(tables, each.dim_sums)
            if each.start is None
            else device.forward_communication(tables, each.dim_sums, each.start)
            for each in exchanges
        ]
        return np.log(np.concatenate([part.ravel() for part in parts]))[some]

    best, _ = _least_squares(predicted, logarithm, np.log(list(begin.values())), ~held)
    return dict(zip(LINKS, np.exp(best).tolist(), strict=True)), _quality(
        "exchange", predicted(best, held), logarithm[held]
    )


def _least_squares(
    predicted: Any, logarithm: np.ndarray, start: np.ndarray, some: np.ndarray
) -> tuple[np.ndarray, float]:
    """The logarithms of the limits, and the cost they reach."""
    from scipy.optimize import least_squares

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.concatenate([predicted(x, some) - logarithm[some], PULL * (x - start)])

    found = least_squares(residuals, start, bounds=(start - 12, start + 12), loss="soft_l1", f_scale=0.3)
    return found.x, float(found.cost)


def _device(limits: Mapping[str, float], skew: bool = True) -> AnalyticalDevice:
    arguments: dict[str, Any] = dict(limits)
    return AnalyticalDevice(**arguments, skew=skew)


def _held(count: int, rng: np.random.Generator) -> np.ndarray:
    """Which samples are not fitted."""
    held = np.zeros(count, bool)
    held[rng.permutation(count)[: max(1, round(HELD_SHARE * count))]] = True
    return held


def _quality(what: str, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    spread = float(np.sum((true - true.mean()) ** 2))
    r2 = 1 - float(np.sum((predicted - true) ** 2)) / spread if spread else 0.0
    return {f"{what}_mape": float(np.mean(np.abs(np.exp(predicted - true) - 1))), f"{what}_r2": r2}


def fitted(path: str | Path, skew: bool = True) -> AnalyticalDevice:
    """The device of a file that ``neuroshard/measure`` has written; that it is of another machine is said.

    Raises
    ------
    ConfigError
        There is no such file.
    InvalidProblem
        It is no such device: names what is missing or wrong.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"data.device.path: {path} does not exist; give the device.json that neuroshard/measure writes"
        )
    content = read_json(path)
    limits = content.get("limits") if isinstance(content, dict) else None
    if not isinstance(limits, dict) or set(limits) != {*COMPUTE, *LINKS}:
        raise InvalidProblem(f"{path}: limits must have the fields {', '.join((*COMPUTE, *LINKS))}, and no other")
    for name, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InvalidProblem(f"{path}: limits.{name} is {value!r}; expected a positive number")
    machine = str(content.get("machine"))
    if not machine.startswith(here := this_machine()):
        _LOG.warning("%s was fitted on '%s', and this is '%s'; costs are those of that machine", path, machine, here)
    return _device(limits, skew)
