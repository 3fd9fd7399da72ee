"""Fields, scattering and gradients against published values, closed forms, whole grids and finite differences."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from data.frequency.grid import wavelength_of
from data.photonics.condensed import Box
from data.photonics.devices import FAMILIES, family
from data.photonics.operator import Grid, Operator, angular_frequency
from data.photonics.ports import guided_mode
from data.photonics.problem import PhotonicProblem
from tests.data.photonics.small import crossing, straight

PUBLISHED = Path(os.environ.get("REPRISE_DATA", "datasets")) / "photonics" / "reference_power.json"
PATTERNS = {
    "blocks": lambda i, j: ((i // 4) + (j // 4)) % 2,
    "stripes": lambda i, j: (((3 * i + 5 * j) // 6) % 3) / 2,
    "void": lambda i, j: 0 * i,
}


def pattern(name: str, problem: PhotonicProblem) -> np.ndarray:
    return PATTERNS[name](*np.indices(problem.box.shape)).astype(float).reshape(-1)


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    if not PUBLISHED.is_file():
        pytest.skip("REPRISE_DATA has no photonics/reference_power.json")
    return json.loads(PUBLISHED.read_text())["devices"]


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_powers_and_gradients_are_the_published_ones(kind: str, published: dict[str, Any]) -> None:
    problem, values = family(kind), published[kind]
    problem.validate()
    assert list(problem.grid.shape) == values["grid"]
    assert list(problem.box) == values["design_coords"]
    for name, found in values["designs"].items():
        s = problem.scattering(pattern(name, problem))
        assert np.abs(s) ** 2 == pytest.approx(np.array(found["power"]), abs=1e-8)
    x = pattern("blocks", problem)
    answered = problem.condensed.answer(problem.permittivity(x[None]))
    s = problem.scattering(x)
    slopes = np.zeros(s.shape)
    slopes[:, 1] = 2 * np.abs(s[:, 1])
    gradient = problem.pulled_back(answered, s[None], slopes[None]).reshape(problem.box.shape)
    for i, j, wanted in values["designs"]["blocks"]["gradient"]:
        assert gradient[i, j] == pytest.approx(wanted, rel=1e-5)


def test_the_condensed_solver_gives_what_the_whole_grid_gives() -> None:
    problem = crossing()
    x = np.random.default_rng(0).uniform(size=problem.variables)
    assert problem.scattering(x) == pytest.approx(problem.directly(x), abs=1e-11)
    whole = problem.background.copy()
    whole[problem.box.window] = problem.permittivity(x)
    operator, source, readers = problem.linear(0)
    residual = operator.matrix(whole) @ (problem.field(x).reshape(-1)) * 1.0
    incoming = (readers @ problem.field(x).reshape(-1))[0]
    assert incoming == pytest.approx(1.0)
    scale = residual[np.argmax(np.abs(source))] / source[np.argmax(np.abs(source))]
    assert np.abs(residual - scale * source).max() < 1e-8 * np.abs(source * scale).max()


def test_gradients_are_those_of_finite_differences_and_a_batch_is_its_rows() -> None:
    for loss in ("amplitude", "power"):
        problem = crossing((4, 12), loss=loss)
        x = np.random.default_rng(1).uniform(0.1, 0.9, size=(2, problem.variables))
        found = problem.query(x)
        assert found.values == pytest.approx(problem.values(x), rel=1e-12)
        assert problem.query(x[1:]).gradients == pytest.approx(found.gradients[1:], rel=1e-12)
        for pixel in (0, 17, 30, 47):
            step = np.zeros(problem.variables)
            step[pixel] = 1e-5
            numeric = np.diff(problem.values(np.stack([x[0] - step, x[0] + step])))[0] / 2e-5
            assert found.gradients[0, pixel] == pytest.approx(numeric, rel=1e-5, abs=1e-7)


def test_a_waveguide_that_goes_on_lets_all_pass_and_one_that_ends_reflects() -> None:
    problem = crossing((8, 26))
    s = problem.scattering(straight(problem))
    assert np.abs(s[:, 1]) == pytest.approx(1.0, abs=2e-3)
    assert np.abs(s[:, 0]).max() < 0.04
    assert problem.solved(straight(problem))
    assert (np.abs(problem.scattering(np.zeros(problem.variables)))[:, 0] > 0.2).all()


def transposed(problem: PhotonicProblem) -> PhotonicProblem:
    """x and y exchanged."""
    ports = [replace(port, x=port.y, y=port.x, direction="yx"[port.axis] + port.direction[1]) for port in problem.ports]
    box, grid = problem.box, problem.grid
    return replace(
        problem,
        grid=grid._replace(shape=grid.shape[::-1]),
        background=problem.background.T.copy(),
        box=Box(box.y0, box.x0, box.y1, box.x1),
        ports=tuple(ports),
    )


def mirrored(problem: PhotonicProblem) -> PhotonicProblem:
    """Right and left exchanged."""
    cells, box = problem.grid.shape[0], problem.box
    ports = [replace(port, x=cells - 1 - port.x, direction="x" + "-+"[port.sign < 0]) for port in problem.ports]
    return replace(
        problem,
        background=problem.background[::-1].copy(),
        box=Box(cells - box.x1, box.y0, cells - box.x0, box.y1),
        ports=tuple(ports),
    )


def test_all_four_directions_are_alike() -> None:
    problem = crossing((10, 14), monitor=3)
    x = np.random.default_rng(4).uniform(size=problem.box.shape)
    s = np.abs(problem.scattering(x.reshape(-1)))
    turned, back = transposed(problem), mirrored(problem)
    for other in (turned, back, transposed(back)):
        other.validate()
    assert np.abs(turned.scattering(x.T.reshape(-1))) == pytest.approx(s, rel=1e-9)
    reflected = np.abs(back.scattering(x[::-1].reshape(-1)))
    assert reflected == pytest.approx(s, abs=0.04)  # what is read lies between two cells, and they have a side
    assert np.abs(transposed(back).scattering(x[::-1].T.reshape(-1))) == pytest.approx(reflected, rel=1e-9)


def test_light_takes_the_same_way_back_and_no_power_is_made() -> None:
    problem = crossing((12, 14), monitor=3)
    x = (np.random.default_rng(0).uniform(size=problem.variables) > 0.5).astype(float)
    there = problem.scattering(x)
    back = replace(problem, ports=problem.ports[::-1]).scattering(x)
    assert np.abs(back[:, 1]) == pytest.approx(np.abs(there[:, 1]), rel=0.02)
    assert (np.sum(np.abs(there) ** 2, axis=1) < 1).all()


def test_the_operator_is_complex_symmetric_and_without_borders_that_of_plane_waves() -> None:
    omega = angular_frequency(1.3e-6)
    matrix = Operator.of(Grid((14, 11), 40e-9, 4), omega).matrix(np.full((14, 11), 2.0))
    assert abs(matrix - matrix.T).max() < 1e-15 * abs(matrix).max()
    cells = 16
    operator = Operator.of(Grid((cells, cells), 40e-9, 0), omega)
    i, j = np.indices((cells, cells))
    wave = np.exp(2j * np.pi * (2 * i + 3 * j) / cells).reshape(-1)
    squared = sum((2 / 40e-9 * np.sin(np.pi * n / cells)) ** 2 for n in (2, 3))
    assert operator.curl @ wave == pytest.approx(squared / 1.25663706e-6 * wave, rel=1e-10)


@pytest.mark.parametrize(("width", "order"), [(0.4e-6, 1), (0.4e-6, 2), (0.24e-6, 1)])
def test_modes_approach_those_of_a_slab(width: float, order: int) -> None:
    """Half the transverse phase is (order - 1) pi / 2 plus the angle of the decay outside."""
    cell, wavelength, inside, outside = 4e-9, 1.28e-6, 12.25, 2.25
    cells, across = round(width / cell), 700
    line = np.full(across, outside)
    line[(across - cells) // 2 : (across + cells) // 2] = inside
    omega = angular_frequency(wavelength)
    mode = guided_mode(line, cell, omega, order)
    assert mode is not None
    k = 2 * np.pi / wavelength

    def phase(index: float) -> float:
        transverse, decay = k * np.sqrt(inside - index**2), k * np.sqrt(index**2 - outside)
        return transverse * width / 2 - (order - 1) * np.pi / 2 - np.arctan(decay / transverse)

    exact = scipy.optimize.brentq(phase, np.sqrt(outside) + 1e-9, np.sqrt(inside) - 1e-9)
    assert mode.effective_index == pytest.approx(exact, rel=1e-3)
    assert guided_mode(line, cell, omega, 9) is None


@pytest.mark.parametrize("kind", ["bend", "converter"])
def test_the_published_packages_find_the_same_fields(kind: str) -> None:
    pytest.importorskip("ceviche", reason="ceviche is not installed: make peers brings it")
    from benchmarks.photonic_peers import published as peer

    problem, model = family(kind), peer(kind)
    x = np.random.default_rng(2).uniform(size=problem.variables)
    s, fields = model.simulate(x.reshape(problem.box.shape))
    assert np.abs(problem.scattering(x)) == pytest.approx(np.abs(s[:, 0, :]), abs=1e-8)
    ours = problem.field(x)
    theirs = fields[0][0] * (ours.reshape(-1)[0] / fields[0][0].reshape(-1)[0])
    assert np.abs(ours - theirs).max() < 1e-8 * np.abs(ours).max()


def test_designs_at_a_time_are_the_same_as_one_by_one_also_where_they_are_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = crossing((4, 12))
    x = np.random.default_rng(3).uniform(size=(3, problem.variables))
    together = problem.query(x)
    s = problem.scattering(x.reshape(3, 1, -1))
    assert s.shape == (3, 1, 2, 2)
    monkeypatch.setattr("data.photonics.problem.AT_A_TIME", 1)
    split = problem.query(x)
    assert split.values == pytest.approx(together.values, rel=1e-13)
    assert split.gradients == pytest.approx(together.gradients, rel=1e-12)
    assert problem.scattering(x[2]) == pytest.approx(s[2, 0], rel=1e-13)


def test_a_problem_can_be_sent_to_another_process_after_it_was_used() -> None:
    problem = crossing((4, 12))
    x = np.full(problem.variables, 0.5)
    s = problem.scattering(x)
    sent = pickle.loads(pickle.dumps(problem))
    assert sent.scattering(x) == pytest.approx(s, rel=1e-13)


def test_a_spectrum_is_solved_at_wavelengths_of_its_own_and_says_where_bounds_hold() -> None:
    problem = crossing((8, 26))
    x = straight(problem)
    table = problem.spectrum(x, [1200e-9, *problem.wavelengths])
    assert table.names == ("S11", "S21")
    assert wavelength_of(table.frequencies) == pytest.approx([1290e-9, 1270e-9, 1200e-9])
    assert table.values[:2] == pytest.approx(problem.directly(x)[::-1])
    assert [bound.parameter for bound in problem.limits] == ["S11", "S11", "S21", "S21"]
    assert all(table.excess(bound) < 0 for bound in problem.limits) == problem.solved(x)


def test_a_loss_that_no_solved_design_can_have_is_not_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = crossing((8, 26))
    x = straight(problem)
    value = float(problem.values(x[None])[0])
    assert problem.solved(x, value)
    monkeypatch.setattr(PhotonicProblem, "scattering", lambda self, x: pytest.fail("solved again"))
    assert not problem.solved(x, 4 * np.log(2) ** 2 * 1.001)
