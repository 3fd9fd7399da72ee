"""A device of one's own, from a file: what is read, and what is refused with file and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.photonics.devices import family
from data.photonics.own_device import OwnDevice, image_of, read_device
from runs.errors import InvalidProblem

BEND: dict[str, Any] = {
    "cell": 40,
    "wavelengths": [1270, 1290],
    "permittivity": {"void": 2.25, "solid": 12.25},
    "absorbing": 800,
    "size": {"x": 4320, "y": 4320},
    "boxes": [{"x": [0, 1520], "y": [2120, 2520]}, {"x": [2120, 2520], "y": [0, 1520]}],
    "design": {"x": [1520, 3120], "y": [1520, 3120]},
    "ports": [
        {"x": 840, "y": 2320, "width": 1440, "direction": "x+"},
        {"x": 2320, "y": 840, "width": 1440, "direction": "y+", "mode": 1, "monitor": 40},
    ],
    "windows": [{"port": 1, "at_most": -20}, {"port": 2, "at_least": -0.5, "wavelengths": [1290, 1270]}],
    "brush": "cross",
}


def written(folder: Path, content: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_the_published_bend_can_be_written_as_a_file(tmp_path: Path) -> None:
    mine, bend = read_device(written(tmp_path, BEND)), family("bend")
    assert (mine.background == bend.background).all()
    assert (mine.box, mine.ports, mine.grid) == (bend.box, bend.ports, bend.grid)
    assert mine.windows[1].wavelengths == (1, 0)
    data = OwnDevice(written(tmp_path, BEND))
    data.setup()
    assert data.test_problems is not None and data.test_problems[0][1].name == data.name == "mine"


def test_an_image_says_the_same_and_may_fix_pixels(tmp_path: Path) -> None:
    bend = family("bend")
    image = image_of(bend)
    image[40:44, 50:54] = 0  # solid, in the design
    Image.fromarray(image).save(tmp_path / "mine.png")
    content = {key: value for key, value in BEND.items() if key not in ("size", "boxes", "design")}
    mine = read_device(written(tmp_path, content | {"image": "mine.png"}))
    assert (mine.background == bend.background).all()
    assert mine.box == bend.box and mine.fixed is not None
    x, y = np.nonzero(mine.fixed == 1)
    assert {*(x + 38)} == {*range(50, 54)} and {*(y + 38)} == {*range(64, 68)}


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {key: value for key, value in BEND.items() if key not in names} | changed


def port(**changed: Any) -> list[dict[str, Any]]:
    return [BEND["ports"][0] | changed, BEND["ports"][1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cell: [", "is no YAML"),
        ("- 1", "expected fields such as cell, wavelengths"),
        (without("cell"), "the field 'cell' is missing"),
        (without(celll=40), "there is no field 'celll'; did you mean 'cell'"),
        (without(cell=0.04), r"cell is 0\.04; expected the side of a cell in nm"),
        (without(cell="40"), "cell is '40'; expected a number"),
        (without(wavelengths=1270), "wavelengths is 1270; expected a list"),
        (without(wavelengths=[1.27], windows=BEND["windows"][:1]), "1.27e-09 m has .* give lengths in one unit"),
        (without(permittivity={"void": 2.25}), "permittivity lacks 'solid'"),
        (without("size"), "the field 'size' is missing; or give an 'image'"),
        (without(image="mine.png"), "give 'image' or 'size', not both"),
        (without("size", "boxes", "design", image="none.png"), r"image: .*none\.png cannot be read"),
        (without(boxes={"x": 1}), "boxes is .*; expected a list of boxes"),
        (without(boxes=[{"x": [0, 1530], "y": [0, 40]}]), r"box 1\.x is 1530; expected nm, a whole number"),
        (without(boxes=[{"x": [0, 9000], "y": [0, 40]}]), r"box 1\.x is \[0, 9000\]; expected an interval"),
        (without(design={"x": [1520, 3120]}), "design lacks 'y'"),
        (without(ports=port(direction="left")), r"port 1: direction is 'left'; expected x\+, x-, y\+, y-"),
        (without(ports=port(mode=0)), "port 1: mode is 0; expected 1 for the fundamental mode"),
        (without(ports=port(width=1400)), r"port 1 .* is 35 cells wide; expected an even number"),
        (without(ports=port(lenght=3)), "port 1 has no field 'lenght'"),
        (without(cell=10**400), "cell is 1000000.*; expected a number of at most 1e\\+09"),
        (without(windows=[{"port": 2, "at_most": 1e5}]), "mine.yaml: window S21: a bound is in dB .* below 0"),
        (without(windows=[{"port": 3, "at_most": -20}]), "window 1: port is 3; expected the number of a port"),
        (without(windows=[{"at_most": -20}]), "window 1 lacks 'port'"),
        (without(windows=[{"port": 2, "wavelengths": [1310]}]), "window 1: wavelengths is 1310; expected one of"),
        (without(size={"x": 4_000_000, "y": 4_000_000}), "size is .* expected at most 1,000,000 cells"),
        (without(brush={"square": 2}), "brush .* both numbers must be odd"),
    ],
)  # fmt: skip
def test_what_a_file_breaks_is_named_with_its_field(content: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InvalidProblem, match=message) as caught:
        read_device(path)
    assert "mine.yaml" in str(caught.value)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(BEND)), VALUES)
def test_any_value_in_any_field_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: Any
) -> None:
    path = written(tmp_path_factory.mktemp("device"), BEND | {field: value})
    try:
        read_device(path)
    except InvalidProblem as error:
        assert str(path) in str(error)
