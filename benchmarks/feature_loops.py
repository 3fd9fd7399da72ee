"""The features of docs/papers/cl_lns.md#3 by loops over columns: the released pipeline's scheme, and a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP

EPS = 1e-6


def loop_features(problem: ILP, lp: RootLP) -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
    """Rows of the tables of :func:`data.ilp.features.static.static_features`: variables, one-sided rows, edges."""
    tables = _Tables(problem, lp)
    variables = [tables.gasse(j) + tables.khalil(j) for j in range(problem.n)]
    rows, edges = [], []
    for i in range(problem.m):
        for sign, side in ((-1.0, -tables.low[i]), (1.0, tables.high[i])):
            if math.isfinite(side):
                rows.append(tables.row(i, sign, side))
                for _, a in tables.entries[i]:
                    by_norm = sign * a / tables.norm[i]
                    edges.append([by_norm, by_norm / max(EPS, abs(side))])
    return variables, rows, edges


class _Tables:
    """Plain lists of a problem and its root LP."""

    def __init__(self, problem: ILP, lp: RootLP) -> None:
        self.c, self.x, self.reduced = problem.c.tolist(), lp.x.tolist(), lp.reduced_costs.tolist()
        self.low, self.high = problem.row_lo.tolist(), problem.row_hi.tolist()
        self.lb, self.ub, self.integer = problem.lb.tolist(), problem.ub.tolist(), problem.integer.tolist()
        self.y, self.column_status, self.row_status = (
            lp.duals.tolist(),
            lp.column_status.tolist(),
            lp.row_status.tolist(),
        )
        starts = problem.A.indptr.tolist()
        pairs = list(zip(problem.A.indices.tolist(), problem.A.data.tolist(), strict=True))
        self.entries = [pairs[starts[i] : starts[i + 1]] for i in range(problem.m)]
        self.of_column: list[list[tuple[int, float]]] = [[] for _ in self.c]
        for i, entries in enumerate(self.entries):
            if math.isfinite(self.low[i]) or math.isfinite(self.high[i]):
                for j, a in entries:
                    self.of_column[j].append((i, a))
        self.activity = [sum(a * self.x[j] for j, a in entries) for entries in self.entries]
        self.norm = [math.sqrt(sum(a * a for _, a in entries)) or 1.0 for entries in self.entries]
        self.c_norm = math.sqrt(sum(value * value for value in self.c)) or 1.0
        self.c_largest = max(abs(value) for value in self.c) or 1.0

    def fraction(self, j: int) -> float:
        return self.x[j] - math.floor(self.x[j] + EPS) if self.integer[j] else 0.0

    def gasse(self, j: int) -> list[float]:
        lb, ub, x, c = self.lb[j], self.ub[j], self.x[j], self.c[j]
        bounds = [lb if math.isfinite(lb) else 0.0, ub if math.isfinite(ub) else 0.0]
        binary = self.integer[j] and lb >= 0 and ub <= 1
        return [
            *bounds,
            *bounds,
            c / self.c_largest,
            x,
            c / self.c_norm,
            float(binary),
            float(self.integer[j] and not binary),
            0.0,
            float(not self.integer[j]),
            float(math.isfinite(lb)),
            float(math.isfinite(ub)),
            self.reduced[j] / self.c_norm,
            x,
            self.fraction(j),
            float(_same(x, lb)),
            float(_same(x, ub)),
            1 / 6 if x == 0 else 0.0,
            *(float(self.column_status[j] == code) for code in range(4)),
        ]

    def khalil(self, j: int) -> list[float]:
        c, entries = self.c[j], self.of_column[j]
        degrees = [float(len(self.entries[i])) for i, _ in entries]
        positive = [a for _, a in entries if a > 0]
        negative = [a for _, a in entries if a < 0]
        f = self.fraction(j)
        up, down = 1 - f, f
        clipped = sorted((max(up, 1e-5), max(down, 1e-5)))
        half = 0.5 if entries else 0.0
        return [
            *(c, max(c, 0.0), min(c, 0.0), float(len(entries))),
            *_spread(degrees),
            *(float(len(positive)), *_spread(positive)),
            *(float(len(negative)), *_spread(negative)),
            *(min(f, 1 - f), 1 - f),
            *(up, down, clipped[0] / clipped[1], up + down, up * down),
            *(0.0, 0.0, 0.0, 0.0),
            *_spread(degrees),
            *(half, half, half),
            *self._ratios_to_sides(entries),
            *self._ratios_to_rows(entries),
            *self._active(entries),
        ]

    def _ratios_to_sides(self, entries: Sequence[tuple[int, float]]) -> list[float]:
        extremes = [1.0, -1.0, 1.0, -1.0]
        for i, a in entries:
            for coefficient, side in ((-a, -self.low[i]), (a, self.high[i])):
                if math.isfinite(side):
                    ratio, at = coefficient / (abs(a) + abs(side)), 0 if side >= 0 else 2
                    extremes[at] = min(extremes[at], ratio)
                    extremes[at + 1] = max(extremes[at + 1], ratio)
        return extremes

    def _ratios_to_rows(self, entries: Sequence[tuple[int, float]]) -> list[float]:
        extremes = [1.0, 0.0] * 4
        for i, a in entries:
            above = sum(value for _, value in self.entries[i] if value > 0)
            below = sum(value for _, value in self.entries[i] if value < 0)
            ratios = {0: a / above, 2: a / (a - below)} if a > 0 else {4: a / (a - above), 6: a / below}
            for at, ratio in ratios.items():
                extremes[at] = min(extremes[at], ratio)
                extremes[at + 1] = max(extremes[at + 1], ratio)
        return extremes

    def _active(self, entries: Sequence[tuple[int, float]]) -> list[float]:
        weights: list[list[float]] = [[], [], [], []]
        sizes = []
        for i, a in entries:
            if _same(self.activity[i], self.low[i]) or _same(self.activity[i], self.high[i]):
                sizes.append(abs(a))
                weights[0].append(1.0)
                weights[1].append(1 / sum(abs(value) for _, value in self.entries[i]))
                weights[2].append(1 / (sum(abs(value) for k, value in self.entries[i] if self.integer[k]) or 1.0))
                weights[3].append(abs(self.y[i]))
        features = []
        for column in weights:
            weighted = [weight * size for weight, size in zip(column, sizes, strict=True)]
            features += [sum(column), sum(weighted), *_spread(weighted)]
        return features

    def row(self, i: int, sign: float, side: float) -> list[float]:
        entries, norm = self.entries[i], self.norm[i]
        integral = all(self.integer[j] and a == round(a) for j, a in entries)
        dot = sum(a * self.c[j] for j, a in entries)
        return [
            side,
            float((side > 0) - (side < 0)),
            0.0,
            2.0,
            float(integral),
            side / norm,
            sign * dot / (norm * self.c_norm),
            float(_same(sign * self.activity[i], side)),
            sign * self.y[i] / (norm * self.c_norm),
            1 / 6 if self.row_status[i] == 1 else 0.0,
        ]


def _same(value: float, side: float) -> bool:
    return math.isfinite(side) and abs(value - side) <= EPS * max(1.0, abs(side))


def _spread(values: Sequence[float]) -> list[float]:
    """Mean, standard deviation, minimum, maximum; zeros of nothing."""
    if not values:
        return [0.0, 0.0, 0.0, 0.0]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return [mean, math.sqrt(variance), min(values), max(values)]
