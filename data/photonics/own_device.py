"""A device of one's own: a YAML file with lengths in nm, drawn as boxes or given as an image (docs/photonics.md)."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float, Int8

from data.modules import OneProblem, ProblemData
from data.photonics.brush import FREE, brush_of
from data.photonics.condensed import Box
from data.photonics.operator import Grid
from data.photonics.ports import DIRECTIONS, Port
from data.photonics.problem import PhotonicProblem
from data.photonics.windows import Loss, Window
from runs.errors import InvalidProblem, nearest
from runs.files import safe_yaml

NM = 1e-9
SOLID, DESIGNABLE = 64, 192
"""Grey values of an image: below the first there is solid, below the second a design, from there on void."""
FIELDS = (
    "cell", "wavelengths", "permittivity", "absorbing", "size", "boxes", "design", "image", "ports", "windows", "brush",
)  # fmt: skip
NEEDED = ("cell", "wavelengths", "permittivity", "ports", "windows")
MOST_CELLS = 1_000_000
LARGEST = 1e9
"""Of all numbers in a file."""


class OwnDevice(ProblemData):
    """The device of a YAML file.

    ``test_problems`` holds one item ``(0, PhotonicProblem)``.

    Parameters
    ----------
    path
        Of the file.
    loss
        See :class:`data.photonics.problem.PhotonicProblem`.

    Raises
    ------
    InvalidProblem
        The file breaks its format, or the device cannot be built: names the field.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(self, path: str | Path, loss: Loss = "amplitude") -> None:
        super().__init__()
        self.path, self.loss = Path(path).expanduser(), loss
        self.name = self.path.stem

    def setup(self, stage: str | None = None) -> None:
        """Read the file."""
        if self.test_problems is None:
            self.test_problems = OneProblem(read_device(self.path, self.loss))


def read_device(path: Path | str, loss: Loss = "amplitude") -> PhotonicProblem:
    """The device of a YAML file, checked.

    Raises
    ------
    InvalidProblem
        Names the file, the field, and what is expected.
    """
    path = Path(path)
    try:
        found = safe_yaml(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProblem(f"{path}: cannot be read as text: {error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidProblem(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise InvalidProblem(f"{path}: expected fields such as {', '.join(NEEDED)}")
    for key in found:
        if key not in FIELDS:
            raise InvalidProblem(f"{path}: there is no field '{key}'{nearest(str(key), list(FIELDS))}")
    for key in NEEDED:
        if key not in found:
            raise InvalidProblem(f"{path}: the field '{key}' is missing")
    problem = _Reader(path, found).problem(loss)
    try:
        problem.validate()
    except InvalidProblem as error:
        raise InvalidProblem(f"{path}: {str(error).removeprefix(f'{problem.name}: ')}") from error
    return problem


class _Reader:
    """One file; every message names it and the field."""

    def __init__(self, path: Path, found: Mapping[Any, Any]) -> None:
        self.path, self.found = path, found
        cell = self.number("cell", found["cell"])
        if not 1 <= cell <= 10_000:
            raise self.wrong("cell", found["cell"], "the side of a cell in nm, 40 say; all lengths are in nm")
        self.cell = cell

    def wrong(self, field: str, value: Any, expected: str) -> InvalidProblem:
        return InvalidProblem(f"{self.path}: {field} is {reprlib.repr(value)}; expected {expected}")

    def number(self, field: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
            raise self.wrong(field, value, f"a number of at most {LARGEST:g}")
        return float(value)

    def cells(self, field: str, value: Any, least: int = 0) -> int:
        """A length in nm as cells."""
        length = self.number(field, value)
        cells = length / self.cell
        if abs(cells - round(cells)) > 1e-6:
            raise self.wrong(field, value, f"nm, a whole number of cells of {self.cell:g}")
        if round(cells) < least:
            raise self.wrong(field, value, f"at least {least * self.cell:g} nm")
        return round(cells)

    def mapping(self, field: str, value: Any, known: Sequence[str], needed: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(field, value, f"fields {', '.join(known)}")
        for key in value:
            if key not in known:
                raise InvalidProblem(f"{self.path}: {field} has no field '{key}'{nearest(str(key), list(known))}")
        for key in needed:
            if key not in value:
                raise InvalidProblem(f"{self.path}: {field} lacks '{key}'")
        return value

    def several(self, field: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self.wrong(field, value, "a list that is not empty")
        return value

    def problem(self, loss: Loss) -> PhotonicProblem:
        found = self.found
        permittivity = self.mapping("permittivity", found["permittivity"], ("void", "solid"), ("void", "solid"))
        void, solid = (self.number(f"permittivity.{name}", permittivity[name]) for name in ("void", "solid"))
        waves = [self.number("wavelengths", each) for each in self.several("wavelengths", found["wavelengths"])]
        absorbing = self.cells("absorbing", found.get("absorbing", 20 * self.cell), 5)
        kinds = self.image() if "image" in found else self.drawn()
        designable = np.argwhere(kinds == FREE)
        if not len(designable):
            raise InvalidProblem(f"{self.path}: nothing is designable; give 'design', or grey pixels in the image")
        (x0, y0), (x1, y1) = designable.min(0).tolist(), (designable.max(0) + 1).tolist()
        box = Box(x0, y0, x1, y1)
        inside = kinds[box.window].astype(np.int8)
        background = np.where(kinds == 1, solid, void).astype(float)
        background[box.window] = void
        return PhotonicProblem(
            name=self.path.stem,
            grid=Grid((kinds.shape[0], kinds.shape[1]), self.cell * NM, absorbing),
            background=background,
            box=box,
            void=void,
            solid=solid,
            ports=tuple(self.port(i, each) for i, each in enumerate(self.several("ports", found["ports"]), 1)),
            wavelengths=tuple(wave * NM for wave in waves),
            windows=tuple(
                self.window(i, each, waves) for i, each in enumerate(self.several("windows", found["windows"]), 1)
            ),
            brush=brush_of(found.get("brush", "cross"), f"{self.path}: brush"),
            fixed=inside if (inside != FREE).any() else None,
            loss=loss,
        )

    def image(self) -> Int8[np.ndarray, "x y"]:
        """Of grey values, the first row the uppermost: 1 solid, 0 void, -1 designable."""
        for other in ("size", "boxes", "design"):
            if other in self.found:
                raise InvalidProblem(f"{self.path}: give 'image' or '{other}', not both")
        from PIL import Image, UnidentifiedImageError

        file = self.path.parent / str(self.found["image"])
        try:
            with Image.open(file) as opened:
                if opened.width * opened.height > MOST_CELLS:
                    raise self.wrong("image", self.found["image"], f"at most {MOST_CELLS:,} pixels")
                grey = np.asarray(opened.convert("L"))
        except (OSError, UnidentifiedImageError) as error:
            raise InvalidProblem(f"{self.path}: image: {file} cannot be read: {error}") from error
        grey = grey[::-1].T
        return np.where(grey < SOLID, 1, np.where(grey < DESIGNABLE, FREE, 0)).astype(np.int8)

    def drawn(self) -> Int8[np.ndarray, "x y"]:
        """From boxes of solid and one of design."""
        for needed in ("size", "design"):
            if needed not in self.found:
                raise InvalidProblem(f"{self.path}: the field '{needed}' is missing; or give an 'image'")
        size = self.mapping("size", self.found["size"], ("x", "y"), ("x", "y"))
        shape = tuple(self.cells(f"size.{axis}", size[axis], 20) for axis in ("x", "y"))
        if shape[0] * shape[1] > MOST_CELLS:
            raise self.wrong("size", self.found["size"], f"at most {MOST_CELLS:,} cells of {self.cell:g} nm")
        kinds = np.zeros(shape, np.int8)
        boxes = self.found.get("boxes") or []
        if not isinstance(boxes, list):
            raise self.wrong("boxes", boxes, "a list of boxes of solid, such as {x: [0, 1520], y: [2120, 2520]}")
        for number, box in enumerate(boxes, 1):
            kinds[self.window_of(f"box {number}", box, shape)] = 1
        kinds[self.window_of("design", self.found["design"], shape)] = FREE
        return kinds

    def window_of(self, field: str, value: Any, shape: tuple[int, ...]) -> tuple[slice, slice]:
        sides = self.mapping(field, value, ("x", "y"), ("x", "y"))
        found = []
        for axis, cells in zip(("x", "y"), shape, strict=True):
            ends = sides[axis]
            if not isinstance(ends, list) or len(ends) != 2:
                raise self.wrong(f"{field}.{axis}", ends, "where it begins and ends, in nm")
            low, high = (self.cells(f"{field}.{axis}", end) for end in ends)
            if not 0 <= low < high <= cells:
                raise self.wrong(f"{field}.{axis}", ends, f"an interval within 0 to {cells * self.cell:g} nm")
            found.append(slice(low, high))
        return found[0], found[1]

    def port(self, number: int, value: Any) -> Port:
        field = f"port {number}"
        known = ("x", "y", "width", "direction", "mode", "monitor")
        given = self.mapping(field, value, known, known[:4])
        if given["direction"] not in DIRECTIONS:
            raise self.wrong(
                f"{field}: direction", given["direction"], f"{', '.join(DIRECTIONS)}: into the device, x+ at its left"
            )
        mode = given.get("mode", 1)
        if isinstance(mode, bool) or not isinstance(mode, int) or not 1 <= mode <= 20:
            raise self.wrong(f"{field}: mode", mode, "1 for the fundamental mode, 2 for the next, and so on")
        x, y, width = (self.cells(f"{field}: {name}", given[name]) for name in known[:3])
        monitor = self.cells(f"{field}: monitor", given.get("monitor", self.cell), 1)
        return Port(x, y, width, given["direction"], mode, monitor)

    def window(self, number: int, value: Any, waves: Sequence[float]) -> Window:
        field = f"window {number}"
        given = self.mapping(field, value, ("port", "at_most", "at_least", "wavelengths"), ("port",))
        port = given["port"]
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= len(self.found["ports"]):
            raise self.wrong(f"{field}: port", port, "the number of a port, from 1")
        bounds = {
            name: self.number(f"{field}: {name}", given[name]) if name in given else None
            for name in ("at_most", "at_least")
        }
        chosen = None
        if "wavelengths" in given:
            wanted = self.several(f"{field}: wavelengths", given["wavelengths"])
            for each in wanted:
                if each not in waves:
                    raise self.wrong(f"{field}: wavelengths", each, f"one of {', '.join(f'{w:g}' for w in waves)} nm")
            chosen = tuple(waves.index(each) for each in wanted)
        return Window(port, bounds["at_most"], bounds["at_least"], chosen)


def image_of(problem: PhotonicProblem, x: Float[np.ndarray, " variables"] | None = None) -> np.ndarray:
    """A device as grey values, the first row the uppermost: black solid, white void; the design grey where none is given."""
    whole = np.where(problem.background > (problem.void + problem.solid) / 2, 0, 255).astype(np.uint8)
    inside = np.full(problem.box.shape, 128) if x is None else np.rint(255 * (1 - x.reshape(problem.box.shape)))
    if x is None and problem.fixed is not None:
        inside = np.where(problem.fixed == FREE, 128, np.where(problem.fixed == 1, 0, 255))
    whole[problem.box.window] = inside.astype(np.uint8)
    return whole.T[::-1]
