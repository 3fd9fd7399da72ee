"""Instances of the families, what of a device is refused, and how designs are judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.photonics.condensed import Box
from data.photonics.devices import FAMILIES, family
from data.photonics.instances import PhotonicDevices
from data.photonics.problem import PhotonicProblem
from data.photonics.windows import Window
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.differentiable.relaxed import Relaxed
from tests.data.photonics.small import crossing, straight


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_every_instance_is_a_device_and_the_same_wherever_it_is_drawn(kind: str) -> None:
    data = PhotonicDevices(kind, count=12, first=3)
    data.setup()
    assert data.test_problems is not None
    drawn = [data.test_problems[position][1] for position in range(12)]
    for problem in drawn:
        problem.validate()
    assert len({(problem.background.tobytes(), problem.ports) for problem in drawn}) > 3
    assert drawn[2].ports == data.problem(5).ports and (drawn[2].background == data.problem(5).background).all()
    with pytest.raises(IndexError):
        data.test_problems[12]


def test_a_smaller_design_keeps_all_around_it() -> None:
    small, usual = family("bend", design=(25, 25)), family("bend")
    small.validate()
    assert small.box.shape == (25, 25)
    assert {usual.grid.shape[axis] - small.grid.shape[axis] for axis in range(2)} == {15}
    assert isinstance(small, Relaxed) and small.variables == 625


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"family": "ring"}, r"data\.family is 'ring'; choose bend, converter, splitter, wdm"),
        ({"family": "bend", "loss": "phase"}, r"data\.loss is 'phase'; choose amplitude or power"),
        ({"family": "bend", "design": [40]}, r"data\.design is \[40\]; give cells along x and y"),
        ({"family": "bend", "count": 0}, r"data\.count is 0; give at least 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PhotonicDevices(**settings)


def port(problem: PhotonicProblem, **changed: Any) -> dict[str, Any]:
    first, *others = problem.ports
    return {"ports": (replace(first, **changed), *others)}


def void_at(problem: PhotonicProblem, x: slice) -> dict[str, Any]:
    background = problem.background.copy()
    background[x] = problem.void
    return {"background": background}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: port(p, width=25), r"port 1 .* is 25 cells wide; expected an even number"),
        (lambda p: port(p, x=4), "port 1 .* cells 4 to 4 along x reach into the absorbing border; the inside is from 10"),
        (lambda p: port(p, monitor=8), r"port 1 .*: its monitor lies within the design"),
        (lambda p: port(p, mode=4), r"port 1 .* guides no mode 4 at 1270 nm; widen its waveguide"),
        (lambda p: port(p, width=12), r"port 1 .* still has 0\.\d+ of its amplitude .* from 12 to \d\d cells"),
        (lambda p: void_at(p, slice(12, 14)), r"port 1 .*: its waveguide does not reach the design"),
        (lambda p: void_at(p, slice(0, 14)), r"port 1 .* has no waveguide: all is void there"),
        (lambda p: {"box": Box(2, 18, 24, 30)}, "the design, cells .* is to lie inside the absorbing borders"),
        (lambda p: {"wavelengths": (1270.0,)}, r"a wavelength of 1270 m has .* give lengths in one unit"),
        (lambda p: {"wavelengths": ()}, "expected at least one wavelength"),
        (lambda p: {"solid": 2.0}, r"permittivities are 2\.25 \(void\) and 2 \(solid\); expected 1 <= void < solid"),
        (lambda p: {"background": p.background[:-1]}, r"the background is .* and the grid"),
        (lambda p: {"windows": (Window(3, at_most=-20),)}, "window S31: there are ports 1 to 2"),
        (lambda p: {"windows": (Window(2),)}, "window S21: give at_most or at_least"),
        (lambda p: {"windows": (Window(2, at_least=0.5),)}, "window S21: a bound is in dB of what enters, and below 0"),
        (lambda p: {"windows": (Window(2, at_least=-1, wavelengths=(2,)),)}, r"window S21: wavelengths \(2,\); there are 2"),
        (lambda p: {"windows": (Window(1, at_most=-7000),)}, "S11 at most -7000 dB leaves .S. an interval of 0, less than"),
        (lambda p: {"windows": (Window(2, at_least=-1e-9),)}, "leaves .S. an interval of 1.2e-10"),
        (
            lambda p: {"windows": (Window(2, at_most=-10), Window(2, at_least=-3, wavelengths=(1,)))},
            "at 1290 nm S21 is to be at least -3 and at most -10 dB; drop one",
        ),
        (
            lambda p: {"windows": (Window(1, at_least=-3), Window(2, at_least=-1))},
            r"at 1270 nm windows ask for 1\.3 times the power that enters",
        ),
        (lambda p: {"loss": "phase"}, "loss is 'phase'; choose amplitude or power"),
        (lambda p: {"brush": np.ones((2, 3), bool)}, "both numbers must be odd"),
    ],
)  # fmt: skip
def test_a_device_that_cannot_be_is_refused_by_field(change: Any, message: str) -> None:
    problem = crossing()
    with pytest.raises(InvalidProblem, match=message):
        replace(problem, **change(problem)).validate()


def test_a_passive_device_that_amplifies_is_an_error_by_name() -> None:
    with pytest.raises(SolverFailure, match=r"\|S21\| is 1\.5 at 1290 nm, but the device amplifies nothing"):
        crossing()._refuse_gain(np.array([[0, 0], [0.1, 1.5]], complex))


def test_losses_and_violations_are_those_of_the_windows() -> None:
    problem = crossing()
    s = np.array([[0.2, 0.5], [0.05, 0.99]], complex)
    low, high = 0.1, 10 ** (-0.5 / 20)
    missed = np.array([0.2 - low, 0.05 - low, high - 0.5, high - 0.99])
    assert problem.violations(s) == pytest.approx(missed)
    soft = np.log1p(np.exp(missed / (1 - high)))
    assert problem.loss_of(s)[0] == pytest.approx(soft @ soft)
    worst = problem.worst(s)
    assert worst.window.describe() == "S21 at least -0.5 dB"
    assert (worst.wavelength, worst.violation) == (1270e-9, pytest.approx(high - 0.5))
    assert worst.decibels == pytest.approx(20 * np.log10(0.5))
    powers = replace(problem, loss="power").loss_of(s)[0]
    squared = np.array([0.2**2 - low**2, 0.05**2 - low**2, high**2 - 0.25, high**2 - 0.99**2])
    narrowest = min(low**2, 1 - high**2)
    assert powers == pytest.approx(np.sum(np.log1p(np.exp(squared / narrowest)) ** 2))


def test_designs_are_feasible_where_every_pixel_is_one_phase_and_the_brush_paints_them() -> None:
    problem = crossing((8, 26))
    design = straight(problem)
    assert problem.is_feasible(design)
    assert problem.objective(design) == pytest.approx(problem.query(design[None]).values[0], rel=1e-9)
    speck = design.copy()
    speck[0] = 1
    assert not problem.is_feasible(speck)
    assert not problem.is_feasible(design * 0.5)
    assert not problem.is_feasible(design[1:])
    fixed = np.full(problem.box.shape, -1)
    fixed[:, :2] = 1
    assert not replace(problem, fixed=fixed).is_feasible(design)


@pytest.mark.parametrize(("kind", "width"), [("bend", 12), ("converter", 16)])
def test_a_port_of_the_width_that_is_asked_for_will_do_and_a_narrower_one_will_not(kind: str, width: int) -> None:
    problem = family(kind)

    def with_second(width: int) -> PhotonicProblem:
        return replace(problem, ports=(problem.ports[0], replace(problem.ports[1], width=width)))

    with pytest.raises(InvalidProblem, match=rf"{kind}: port 2 .* widen the port from {width} to") as refused:
        with_second(width).validate()
    wanted = int(str(refused.value).split(f"from {width} to ")[1].split()[0])
    with_second(wanted).validate()
    with pytest.raises(InvalidProblem, match="still has"):
        with_second(wanted - 2).validate()
