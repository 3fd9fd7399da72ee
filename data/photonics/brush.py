"""The rule that solid and void can be painted with one brush, checked without any solver (docs/papers/surco.md#3.7).

A *touch* is a translate of the brush whose centre lies on a pixel of the design; what sticks out of it is cut off. Solid
must be the union of touches, and so must void. Images are (x, y) arrays, True where there is solid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int8
from scipy import ndimage

from runs.errors import InvalidProblem, nearest

FREE = -1
"""Of :attr:`BrushRule.fixed`: the pixel is designable."""

SHAPES = ("cross", "disc", "notched_square", "square")


def disc(diameter: float) -> Bool[np.ndarray, "x y"]:
    """All pixels whose centre is within half a diameter (in pixels) of the middle one's: 3 is a full square, 2 a cross."""
    reach = int(diameter / 2)
    along = np.arange(-reach, reach + 1)
    return along[:, None] ** 2 + along[None, :] ** 2 <= (diameter / 2) ** 2


def notched_square(width: int, notch: int = 0) -> Bool[np.ndarray, "x y"]:
    """A square without ``notch`` by ``notch`` pixels at each corner; ``notched_square(3, 1)`` is the cross."""
    brush = np.ones((width, width), bool)
    corner = np.arange(width) < notch
    corner = corner | corner[::-1]
    return brush & ~(corner[:, None] & corner[None, :])


def brush_of(setting: Any, where: str = "brush") -> Bool[np.ndarray, "x y"]:
    """A brush as files and settings name it.

    Parameters
    ----------
    setting
        ``cross`` (3 x 3 without corners), ``{disc: DIAMETER}``, ``{square: WIDTH}``, ``{notched_square: [WIDTH, NOTCH]}``,
        or rows of 0 and 1 (texts, lists or an array).
    where
        What messages call it.

    Raises
    ------
    InvalidProblem
        It is none of these, or :func:`check_brush` refuses it.
    """
    if setting == "cross":
        return notched_square(3, 1)
    if isinstance(setting, str):
        raise InvalidProblem(f"{where} is '{setting}'{nearest(setting, SHAPES)}")
    if isinstance(setting, Mapping):
        return check_brush(_shaped(setting, where), where)
    try:
        rows = [[int(pixel) for pixel in row] for row in setting]
        brush = np.array(rows)
    except (TypeError, ValueError):
        raise InvalidProblem(f"{where} is {setting!r}; expected rows of 0 and 1, all of one length") from None
    if brush.ndim != 2 or not np.isin(brush, (0, 1)).all():
        raise InvalidProblem(f"{where} is {setting!r}; expected rows of 0 and 1, all of one length")
    return check_brush(brush.astype(bool), where)


def _shaped(setting: Mapping[Any, Any], where: str) -> Bool[np.ndarray, "x y"]:
    if len(setting) != 1:
        raise InvalidProblem(f"{where} is {dict(setting)!r}; expected one of {', '.join(SHAPES[1:])} with its size")
    ((name, size),) = setting.items()
    sizes = list(size) if isinstance(size, Sequence) and not isinstance(size, str) else [size]
    if not all(isinstance(each, (int, float)) and 0 <= each < 1000 for each in sizes):
        raise InvalidProblem(f"{where}.{name} is {size!r}; expected pixels")
    if name == "disc" and len(sizes) == 1:
        return disc(sizes[0])
    if (name == "square" and len(sizes) == 1) or (name == "notched_square" and len(sizes) == 2):
        return notched_square(*(int(each) for each in sizes))
    known = name in SHAPES[1:]
    raise InvalidProblem(
        f"{where}.{name} is {size!r}{'; give its size in pixels' if known else nearest(str(name), SHAPES)}"
    )


def check_brush(brush: np.ndarray, where: str = "brush") -> Bool[np.ndarray, "x y"]:
    """The brush, if it is one: an odd number of pixels along each side, at least one of them painted.

    Raises
    ------
    InvalidProblem
        It is empty, or has no middle pixel.
    """
    if brush.ndim != 2 or brush.dtype != bool:
        raise InvalidProblem(
            f"{where} is an array of shape {brush.shape} and type {brush.dtype}; expected booleans (x, y)"
        )
    if not brush.any():
        raise InvalidProblem(f"{where} paints no pixel; give a brush with at least one")
    if any(side % 2 == 0 for side in brush.shape):
        raise InvalidProblem(
            f"{where} has {brush.shape[0]} x {brush.shape[1]} pixels; both numbers must be odd, so that one is its middle"
        )
    return brush


def unpainted(solid: Bool[np.ndarray, "x y"], brush: Bool[np.ndarray, "x y"]) -> Bool[np.ndarray, "x y"]:
    """Where an image breaks the rule: pixels that no touch within solid, or within void, covers."""
    painted = np.zeros(solid.shape, bool)
    for phase in (solid, ~solid):
        # border_value: what sticks out of the image is cut off, so it cannot stick out of the phase either
        touches = ndimage.binary_erosion(phase, brush, border_value=1)
        painted |= ndimage.binary_dilation(touches, brush)
    return ~painted


class Surroundings(NamedTuple):
    """What lies around a design and does not change.

    Attributes
    ----------
    solid
        (x, y) image of the whole device; what it shows inside of the design does not count.
    corner
        Pixel of ``solid`` at which the design begins.
    """

    solid: Bool[np.ndarray, "x y"]
    corner: tuple[int, int]

    def around(self, design: Bool[np.ndarray, "x y"]) -> Bool[np.ndarray, "x y"]:
        """The image with the design in it."""
        whole = self.solid.copy()
        whole[self.window(design.shape)] = design
        return whole

    def window(self, shape: tuple[int, ...], margin: int = 0) -> tuple[slice, slice]:
        """Of a design of this shape within the image, with a margin where there is one."""
        (x, y), (width, height) = self.corner, shape
        return slice(max(0, x - margin), x + width + margin), slice(max(0, y - margin), y + height + margin)


class Verdict(NamedTuple):
    """Whether a design can be painted.

    Attributes
    ----------
    alone
        (x, y) pixels of the design that break the rule, its border being the end of the world.
    within
        (x, y) pixels of the image of :class:`Surroundings` that break the rule in the design or so close to it that it has a
        share in that; None without surroundings.
    """

    alone: Bool[np.ndarray, "x y"]
    within: Bool[np.ndarray, "x y"] | None = None


def judge(
    design: Bool[np.ndarray, "x y"], brush: Bool[np.ndarray, "x y"], surroundings: Surroundings | None = None
) -> Verdict:
    """Both verdicts: a design that keeps the rule alone can still break it where it meets its surroundings."""
    if surroundings is None:
        return Verdict(unpainted(design, brush))
    broken = unpainted(surroundings.around(design), brush)
    near = np.zeros(broken.shape, bool)
    near[surroundings.window(design.shape, max(brush.shape) - 1)] = True
    return Verdict(unpainted(design, brush), broken & near)


@dataclass(frozen=True, eq=False)
class BrushRule:
    """The set of designs that a brush can paint.

    Parameters
    ----------
    shape
        Pixels of the design along x and y.
    brush
        Odd along both sides.
    fixed
        (x, y) 1 where solid is prescribed, 0 where void is, :data:`FREE` elsewhere; None for nowhere.
    """

    shape: tuple[int, int]
    brush: Bool[np.ndarray, "bx by"]
    fixed: Int8[np.ndarray, "x y"] | None = None

    def validate(self) -> None:
        """Check brush and fixed pixels.

        Raises
        ------
        InvalidProblem
            The brush is none, or a fixed pixel cannot be covered without another one being painted over; names it.
        """
        check_brush(self.brush)
        if min(self.shape) < 1:
            raise InvalidProblem(f"the design has {self.shape[0]} x {self.shape[1]} pixels; expected at least 1 x 1")
        fixed = np.full(self.shape, FREE) if self.fixed is None else self.fixed
        if fixed.shape != self.shape or not np.isin(fixed, (FREE, 0, 1)).all():
            raise InvalidProblem(f"fixed pixels have shape {fixed.shape}; expected {self.shape}, each -1, 0 or 1")
        for phase, name in ((1, "solid"), (0, "void")):
            room = ndimage.binary_erosion(fixed != 1 - phase, self.brush, border_value=1)
            lost = (fixed == phase) & ~ndimage.binary_dilation(room, self.brush)
            if lost.any():
                x, y = np.argwhere(lost)[0].tolist()
                raise InvalidProblem(
                    f"pixel ({x}, {y}) is fixed to {name}, and every touch that covers it covers fixed pixels of the other "
                    "kind, too; free some of them, or take a smaller brush"
                )

    def is_kept(self, design: Bool[np.ndarray, "x y"]) -> bool:
        """True for a design that has the shape and the fixed pixels, and that the brush can paint."""
        if design.shape != self.shape:
            return False
        if self.fixed is not None and ((self.fixed != FREE) & (self.fixed != design)).any():
            return False
        return not unpainted(design, self.brush).any()
