"""What is measured of designs, and the files that a user takes away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.photonics.twins import twins
from runs.anytime import Trace
from runs.errors import MissingDependency
from solvers.base import Solution, Status
from tasks.photonics.design_figure import design_figure
from tasks.photonics.designs import sentences
from tasks.photonics.layout import to_gds
from tasks.photonics.measure import measure
from tests.data.photonics.small import crossing, straight

DEVICE = crossing((8, 26))
ON = straight(DEVICE)
ENDS = np.zeros(DEVICE.variables)


def solution(x: np.ndarray) -> Solution:
    trace = Trace()
    trace.record(0.5, 7, DEVICE.objective(x))
    log = {"oracle_calls": np.array([1.0, 3.0]), "zero_gradient": np.array([0.0, 0.5])}
    return Solution(x, DEVICE.objective(x), True, Status.FEASIBLE, trace, log)


def test_solved_and_missed_windows_are_measured_on_the_whole_grid() -> None:
    on, ends = measure(DEVICE, solution(ON)), measure(DEVICE, solution(ENDS))
    assert (on["solved"], on["design_loss"], on["steps_to_solve"]) == (1.0, 0.0, 7.0)
    assert (on["oracle_calls"], on["zero_gradients"]) == (4.0, 0.25)
    s = np.abs(DEVICE.directly(ENDS))
    missed = np.maximum(s[:, 0] - 0.1, 0).sum() + np.maximum(10 ** (-0.5 / 20) - s[:, 1], 0).sum()
    assert (ends["solved"], ends["design_loss"]) == (0.0, pytest.approx(missed, rel=1e-6))
    assert np.isnan(ends["steps_to_solve"])
    nothing = Solution(None, np.nan, False, Status.NO_SOLUTION, Trace())
    assert measure(DEVICE, nothing)["solved"] == 0


def test_the_layout_has_every_solid_cell_and_no_other_in_micrometres(tmp_path: Path) -> None:
    gdstk = pytest.importorskip("gdstk", reason="gdstk is not installed: the extra 'photonics' brings it")
    path = tmp_path / "device.gds"
    path.write_bytes(to_gds(DEVICE, ON, layer=3, datatype=1))
    library = gdstk.read_gds(str(path))
    (cell,) = library.cells
    assert library.unit == 1e-6 and {(each.layer, each.datatype) for each in cell.polygons} == {(3, 1)}
    shape, side = DEVICE.grid.shape, DEVICE.grid.cell * 1e6
    centres = [((i + 0.5) * side, (j + 0.5) * side) for i in range(shape[0]) for j in range(shape[1])]
    inside = np.array(gdstk.inside(centres, cell.polygons)).reshape(shape)
    solid = DEVICE.background > 7
    solid[DEVICE.box.window] = ON.reshape(DEVICE.box.shape) == 1
    assert (inside == solid).all()
    assert sum(each.area() for each in cell.polygons) == pytest.approx(solid.sum() * side**2)


def test_without_gdstk_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gdstk", None)
    with pytest.raises(MissingDependency, match="extra 'photonics'"):
        to_gds(DEVICE, ON)


def test_sentences_say_whether_it_is_solved_or_which_window_is_missed_most() -> None:
    good = sentences(DEVICE, ON, twins(DEVICE, ON, 10e-9))
    assert good[0].startswith("crossing: solved, every window is met, most narrowly S")
    assert good[1].startswith("windows of the twins: as designed met, eroded ")
    assert "the brush can paint it on its own" in good[2]
    bad = sentences(DEVICE, ENDS, twins(DEVICE, ENDS, 10e-9))
    assert bad[0].startswith("crossing: not solved, windows are missed by ")
    assert design_figure(DEVICE, ON).startswith(b"\x89PNG")
