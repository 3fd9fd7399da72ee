"""Schubert's generator word by word: every set is computed anew before each touch (docs/papers/surco.md#3.7)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

Image = Bool[np.ndarray, "x y"]


def recomputed(reward: Float[np.ndarray, "x y"], brush: Image) -> Image:
    """The design of one reward, without fixed pixels."""
    value = np.stack([_sums(reward, brush), -_sums(reward, brush)])
    touches = np.zeros((2, *reward.shape), bool)
    while True:
        existing = [_dilated(touches[phase], brush) for phase in (0, 1)]
        if (existing[0] | existing[1]).all():
            return existing[0]
        impossible = [_dilated(existing[1 - phase], brush[::-1, ::-1]) for phase in (0, 1)]
        valid = np.stack([~touches[phase] & ~impossible[phase] for phase in (0, 1)])
        possible = [_dilated(touches[phase] | valid[phase], brush) for phase in (0, 1)]
        required = [~existing[phase] & ~possible[1 - phase] for phase in (0, 1)]
        resolving = np.stack([valid[phase] & _dilated(required[phase], brush[::-1, ::-1]) for phase in (0, 1)])
        colouring = np.stack([_dilated(~existing[phase], brush[::-1, ::-1]) for phase in (0, 1)])
        free = valid & ~colouring
        if free.any():
            touches |= free
            continue
        candidates = resolving if resolving.any() else valid
        best = np.argmax(np.where(candidates, value, -np.inf))  # the first of equal ones: solid, then the lowest index
        touches.reshape(-1)[best] = True


def _sums(reward: Float[np.ndarray, "x y"], brush: Image) -> Float[np.ndarray, "x y"]:
    sums = np.zeros(reward.shape)
    for dx, dy in np.argwhere(brush) - np.array(brush.shape) // 2:
        sums += _shifted(reward, -dx, -dy)
    return sums


def _dilated(touches: Image, brush: Image) -> Image:
    painted = np.zeros(touches.shape, bool)
    for dx, dy in np.argwhere(brush) - np.array(brush.shape) // 2:
        painted |= _shifted(touches, dx, dy)
    return painted


def _shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """The image moved by (dx, dy), zeros where nothing comes in."""
    width, height = image.shape
    moved = np.zeros_like(image)
    moved[max(dx, 0) : width + min(dx, 0), max(dy, 0) : height + min(dy, 0)] = image[
        max(-dx, 0) : width + min(-dx, 0), max(-dy, 0) : height + min(-dy, 0)
    ]
    return moved
