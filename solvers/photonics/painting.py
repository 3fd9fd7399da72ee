"""Schubert's generator as events: what a touch changes is updated, nothing is computed anew (docs/papers/surco.md#3.7).

Of a design with n pixels, solid touches are numbered 0 to n - 1 by their centre, and void touches n to 2 n - 1. A touch is
open while it may be taken: until it is taken, or would paint over the other phase. Free touches colour nothing, so they are
not taken.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Bool, Int, Int8, Int32

from solvers.photonics.touches import Touches

BLANK = -1
SOLID, VOID = 0, 1


class _Canvas(NamedTuple):
    """Of one design: ``hopes`` counts open touches by phase and pixel, ``needs`` the required pixels that a touch covers."""

    pixel: Int8[np.ndarray, " pixels"]
    open: Bool[np.ndarray, " touches"]
    hopes: Int32[np.ndarray, "phases pixels"]
    required: Bool[np.ndarray, " pixels"]
    needs: Int32[np.ndarray, " touches"]
    blanks: Int32[np.ndarray, " pixels"]
    rank: Int32[np.ndarray, " touches"]
    queued: Bool[np.ndarray, " touches"]


@numba.njit(cache=True)
def paint(
    order: Int[np.ndarray, "batch touches"],
    touches: Touches,
    blocked: Bool[np.ndarray, " touches"],
) -> tuple[Int8[np.ndarray, "batch pixels"], Bool[np.ndarray, " batch"]]:
    """Paint a batch of designs.

    Parameters
    ----------
    order
        The touches of both phases, the best first.
    touches
        What they paint.
    blocked
        Touches that fixed pixels forbid.

    Returns
    -------
    1 for solid and 0 for void, and False for the designs in which some pixel could get neither phase.
    """
    batch, count = order.shape
    pixels = count // 2
    painted = np.full((batch, pixels), BLANK, np.int8)
    done = np.ones(batch, np.bool_)
    for row in range(batch):
        canvas = _Canvas(
            painted[row],
            np.ones(count, np.bool_),
            np.empty((2, pixels), np.int32),
            np.zeros(pixels, np.bool_),
            np.zeros(count, np.int32),
            np.empty(pixels, np.int32),
            np.empty(count, np.int32),
            np.zeros(count, np.bool_),
        )
        for place in range(count):
            canvas.rank[order[row, place]] = place
        for pixel in range(pixels):
            canvas.blanks[pixel] = touches.paints.start[pixel + 1] - touches.paints.start[pixel]
            canvas.hopes[:, pixel] = touches.painters.start[pixel + 1] - touches.painters.start[pixel]
        done[row] = _paint_one(canvas, order[row], touches, blocked)
    return painted, done


@numba.njit(cache=True)
def _paint_one(canvas, order, touches, blocked):  # type: ignore[no-untyped-def]  # compiled
    heap = [np.int64(0) for _ in range(0)]  # an empty list of integers, for the compiler
    for touch in range(len(order)):
        if blocked[touch]:
            _close(canvas, heap, touch, touches)
    pixels = len(canvas.pixel)
    place = 0
    while True:
        touch = -1
        while len(heap) > 0 and touch < 0:
            best = order[heap[0]]
            if canvas.open[best] and canvas.needs[best] > 0:
                touch = best
            else:
                canvas.queued[best] = False
                heapq.heappop(heap)
        while touch < 0 and place < len(order):
            best = order[place]
            if canvas.open[best] and canvas.blanks[best % pixels] > 0:
                touch = best
            else:
                place += 1
        if touch < 0:
            return (canvas.pixel >= 0).all()
        _take(canvas, heap, touch, touches)


@numba.njit(cache=True)
def _take(canvas, heap, touch, touches):  # type: ignore[no-untyped-def]
    """Paint what is blank below a touch; touches of the other phase there are closed."""
    pixels = len(canvas.pixel)
    phase, centre = touch // pixels, touch % pixels
    canvas.open[touch] = False
    start, columns = touches.paints
    fresh = [pixel for pixel in columns[start[centre] : start[centre + 1]] if canvas.pixel[pixel] == BLANK]
    for pixel in fresh:
        canvas.pixel[pixel] = 1 - phase
    start, columns = touches.painters
    for pixel in fresh:
        for painter in columns[start[pixel] : start[pixel + 1]]:
            canvas.blanks[painter] -= 1
            if canvas.required[pixel]:
                canvas.needs[phase * pixels + painter] -= 1
            other = (1 - phase) * pixels + painter
            if canvas.open[other]:
                _close(canvas, heap, other, touches)


@numba.njit(cache=True)
def _close(canvas, heap, touch, touches):  # type: ignore[no-untyped-def]
    """A touch can no longer be taken; pixels that lose their last hope of its phase require the other one."""
    pixels = len(canvas.pixel)
    phase, centre = touch // pixels, touch % pixels
    canvas.open[touch] = False
    start, columns = touches.paints
    for pixel in columns[start[centre] : start[centre + 1]]:
        canvas.hopes[phase, pixel] -= 1
        if canvas.hopes[phase, pixel] == 0 and canvas.pixel[pixel] == BLANK:
            _require(canvas, heap, 1 - phase, pixel, touches)


@numba.njit(cache=True)
def _require(canvas, heap, phase, pixel, touches):  # type: ignore[no-untyped-def]
    """The pixel can only get this phase: touches that give it are wanted before all others."""
    canvas.required[pixel] = True
    start, columns = touches.painters
    for painter in columns[start[pixel] : start[pixel + 1]]:
        touch = phase * len(canvas.pixel) + painter
        canvas.needs[touch] += 1
        if canvas.open[touch] and not canvas.queued[touch]:
            canvas.queued[touch] = True
            heapq.heappush(heap, np.int64(canvas.rank[touch]))
