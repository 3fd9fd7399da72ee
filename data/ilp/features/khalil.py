"""The 72 "Khalil" features of a variable at the root, columns 23 to 94 (docs/papers/cl_lns.md#3.3)."""

from __future__ import annotations

import numpy as np

from data.ilp.features.geometry import Geometry, nonzero
from data.ilp.features.segments import Segments

PSEUDOCOST = 1.0
"""Up and down pseudocosts of every variable at the root."""

PSEUDOCOST_FLOOR = 1e-5

LARGEST = 1e6
"""What an infinite feature becomes."""


def khalil_features(geometry: Geometry) -> dict[str, np.ndarray]:
    """Name to (n,) column, in order; NaN becomes 0 and an infinite value +-1e6.

    Rows without sides do not count, a row with two sides counts once (twice in ``ratio_to_side``, which looks at sides).
    """
    c = geometry.problem.c
    by_column = Segments(np.diff(geometry.columns.indptr))
    features = {"cost": c, "cost_positive": np.maximum(c, 0), "cost_negative": np.minimum(c, 0)}
    features |= _degrees(geometry, by_column)
    features |= _coefficients(geometry, by_column)
    features |= _fractions(geometry)
    features |= _branching(geometry)
    features |= _dynamic_degrees(features, by_column)
    features |= _ratios_to_sides(geometry, by_column)
    features |= _ratios_to_rows(geometry, by_column)
    features |= _active_rows(geometry, by_column)
    table = np.stack(list(features.values()))
    np.nan_to_num(table, copy=False, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    return dict(zip(features, table, strict=True))


def _degrees(geometry: Geometry, by_column: Segments) -> dict[str, np.ndarray]:
    degree = geometry.row_segments.counts[geometry.columns.indices]
    return {"rows": by_column.counts} | _named("degree", _without_sum(by_column.spread(degree)))


def _coefficients(geometry: Geometry, by_column: Segments) -> dict[str, np.ndarray]:
    features: dict[str, np.ndarray] = {}
    a = geometry.columns.data
    for name, mask in (("positive", a > 0), ("negative", a < 0)):
        segments = by_column.where(mask)
        features[f"{name}_count"] = segments.counts
        features |= _named(name, _without_sum(segments.spread(a[mask])))
    return features


def _fractions(geometry: Geometry) -> dict[str, np.ndarray]:
    down = geometry.fractionality
    up = 1 - down
    cost_up, cost_down = up * PSEUDOCOST, down * PSEUDOCOST
    floored = np.maximum(cost_up, PSEUDOCOST_FLOOR), np.maximum(cost_down, PSEUDOCOST_FLOOR)
    return {
        "distance_to_integer": np.minimum(down, up),
        "distance_up": up,
        "pseudocost_up": cost_up,
        "pseudocost_down": cost_down,
        "pseudocost_ratio": np.minimum(*floored) / np.maximum(*floored),
        "pseudocost_sum": cost_up + cost_down,
        "pseudocost_product": cost_up * cost_down,
    }


def _branching(geometry: Geometry) -> dict[str, np.ndarray]:
    """Nothing has been branched on at the root."""
    names = ("cutoffs_up", "cutoffs_down", "cutoff_rate_up", "cutoff_rate_down")
    return dict.fromkeys(names, np.zeros(geometry.problem.n))


def _dynamic_degrees(features: dict[str, np.ndarray], by_column: Segments) -> dict[str, np.ndarray]:
    """Nothing is fixed at the root, so the degrees are the static ones and their shares of the sum one half."""
    dynamic = {f"dynamic_degree_{name}": features[f"degree_{name}"] for name in ("mean", "std", "min", "max")}
    half = np.where(by_column.counts > 0, 0.5, 0.0)
    return dynamic | {f"dynamic_degree_{name}_share": half for name in ("mean", "min", "max")}


def _ratios_to_sides(geometry: Geometry, by_column: Segments) -> dict[str, np.ndarray]:
    """a / (|a| + |b|) over one-sided rows, extremes apart for b >= 0 and b < 0; 1 and -1 where there is none."""
    row, a = geometry.columns.indices, geometry.columns.data
    features: dict[str, np.ndarray] = {}
    for signed, side in ((-a, -geometry.problem.row_lo[row]), (a, geometry.problem.row_hi[row])):
        finite = np.isfinite(side)
        ratio = signed / (np.abs(a) + np.abs(side))  # 0 at an infinite side, which no mask keeps
        for name, mask in (("up", finite & (side >= 0)), ("down", finite & (side < 0))):
            found = _named(f"ratio_to_side_{name}", by_column.range(ratio, mask, 1.0, -1.0))
            for key, extreme in found.items():
                closer = np.minimum if key.endswith("min") else np.maximum
                features[key] = closer(features[key], extreme) if key in features else extreme
    return features


def _ratios_to_rows(geometry: Geometry, by_column: Segments) -> dict[str, np.ndarray]:
    """A coefficient's share of its row's positive or negative coefficients; 1 and 0 where there is none."""
    row, a = geometry.columns.indices, geometry.columns.data
    coefficients = geometry.problem.A.data
    positive = geometry.row_segments.sum(np.maximum(coefficients, 0))[row]
    negative = geometry.row_segments.sum(np.minimum(coefficients, 0))[row]
    shares = {
        "positive_to_positive": (a > 0, positive),
        "positive_to_negative": (a > 0, a - negative),
        "negative_to_positive": (a < 0, a - positive),
        "negative_to_negative": (a < 0, negative),
    }
    features: dict[str, np.ndarray] = {}
    for name, (mask, total) in shares.items():
        features |= _named(name, by_column.range(a / nonzero(total), mask, 1.0, 0.0))
    return features


def _active_rows(geometry: Geometry, by_column: Segments) -> dict[str, np.ndarray]:
    """Coefficients in the rows that are tight at the vertex, weighted in four ways; an empty sum weighs 1."""
    active = (geometry.at_low | geometry.at_high)[geometry.columns.indices]
    segments = by_column.where(active)
    row, magnitude = geometry.columns.indices[active], np.abs(geometry.columns.data[active])
    matrix = geometry.problem.A
    absolute = np.abs(matrix.data)
    whole = geometry.problem.integer[matrix.indices]
    weights = {
        "unit": np.ones(geometry.problem.m),
        "inverse_sum": 1 / nonzero(geometry.row_segments.sum(absolute)),
        "inverse_integer_sum": 1 / nonzero(geometry.row_segments.sum(np.where(whole, absolute, 0.0))),
        "dual": np.abs(geometry.lp.duals),
    }
    features: dict[str, np.ndarray] = {}
    for name, of_row in weights.items():
        weight = of_row[row]
        features[f"active_{name}_weight"] = segments.sum(weight)
        features |= _named(f"active_{name}", segments.spread(weight * magnitude))
    return features


def _named(prefix: str, statistics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": column for name, column in statistics.items()}


def _without_sum(statistics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: column for name, column in statistics.items() if name != "sum"}
