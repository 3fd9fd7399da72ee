"""Which pixels each touch of a brush paints, and what rewards it collects (docs/papers/surco.md#3.7)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int32

from data.photonics.brush import BrushRule


class Lists(NamedTuple):
    """For each row ``i`` the columns ``columns[start[i]:start[i + 1]]``."""

    start: Int32[np.ndarray, " rows+1"]
    columns: Int32[np.ndarray, " entries"]


class Touches(NamedTuple):
    """Touches are numbered by their centre, pixels of the design row by row.

    Attributes
    ----------
    paints
        The pixels of each touch.
    painters
        The touches of each pixel.
    """

    paints: Lists
    painters: Lists


def touches_of(rule: BrushRule) -> Touches:
    """Both directions, for a design of the rule's shape."""
    return _touches(rule.shape, rule.brush.shape, rule.brush.tobytes())


def coverage(rule: BrushRule) -> sp.csr_matrix:
    """(touches, pixels) 1 where a touch paints a pixel."""
    size = rule.shape[0] * rule.shape[1]
    start, columns = touches_of(rule).paints
    return sp.csr_matrix((np.ones(len(columns)), columns, start), shape=(size, size))


@functools.lru_cache(maxsize=16)
def _touches(shape: tuple[int, int], brush_shape: tuple[int, int], brush: bytes) -> Touches:
    painted = np.frombuffer(brush, bool).reshape(brush_shape)
    offsets = np.argwhere(painted) - np.array(brush_shape) // 2
    centres = np.indices(shape).reshape(2, -1).T
    pixels = centres[:, None, :] + offsets[None, :, :]
    inside = ((pixels >= 0) & (pixels < shape)).all(axis=2)
    touch, which = np.nonzero(inside)
    pixel = np.ravel_multi_index(tuple(pixels[touch, which].T), shape)
    return Touches(_lists(touch, pixel, len(centres)), _lists(pixel, touch, len(centres)))


def _lists(row: np.ndarray, column: np.ndarray, rows: int) -> Lists:
    order = np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
    return Lists(start.astype(np.int32), column[order].astype(np.int32))


def brush_sums(
    rewards: Float[np.ndarray, "*batch x y"], brush: Bool[np.ndarray, "bx by"]
) -> Float[np.ndarray, "*batch x y"]:
    """For each touch the sum of the rewards that it paints.

    Addends come in the order of the brush's pixels whatever the batch: equal rewards have equal sums to the last bit.
    """
    *_, width, height = rewards.shape
    reach = np.array(brush.shape) // 2
    sums = np.zeros(rewards.shape)
    padded = np.pad(rewards, [(0, 0)] * (rewards.ndim - 2) + [(reach[0],) * 2, (reach[1],) * 2])
    for dx, dy in np.argwhere(brush).tolist():
        sums += padded[..., dx : dx + width, dy : dy + height]
    return sums
