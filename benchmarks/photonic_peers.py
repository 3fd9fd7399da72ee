"""What our solver of fields is compared with: the published packages (ceviche, ceviche-challenges), and the whole grid."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from data.photonics.condensed import factorised
from data.photonics.problem import PhotonicProblem

MATERIALS = {"cladding_permittivity": 2.25, "slab_permittivity": 12.25, "pml_width": 20}
LENGTHS = {"wg_width": 400, "wg_length": 720, "wg_mode_padding": 520, "padding": 400, "port_pml_offset": 40}


def published(kind: str) -> Any:
    """A model of a family's published device.

    Raises
    ------
    ImportError
        The packages are not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ceviche_challenges as challenges
    units = challenges.units
    nm = units.nm
    params = challenges.params.CevicheSimParams(resolution=40 * nm, wavelengths=units.Array([1270.0, 1290.0], nm))
    lengths = {name: value * nm for name, value in LENGTHS.items()} | {"input_monitor_offset": 40 * nm}
    if kind == "bend":
        spec = challenges.waveguide_bend.spec.WaveguideBendSpec(
            variable_region_size=(1600 * nm, 1600 * nm), **lengths, **MATERIALS
        )
        return challenges.waveguide_bend.model.WaveguideBendModel(params, spec)
    if kind == "converter":
        del lengths["wg_width"], lengths["wg_mode_padding"]
        spec = challenges.mode_converter.spec.ModeConverterSpec(
            left_wg_width=400 * nm, left_wg_mode_padding=520 * nm, left_wg_mode_order=1,
            right_wg_width=400 * nm, right_wg_mode_padding=520 * nm, right_wg_mode_order=2,
            variable_region_size=(1600 * nm, 1600 * nm), **lengths, **MATERIALS,
        )  # fmt: skip
        return challenges.mode_converter.model.ModeConverterModel(params, spec)
    if kind == "splitter":
        del lengths["padding"]
        spec = challenges.beam_splitter.spec.BeamSplitterSpec(
            wg_separation=1120 * nm,
            variable_region_size=(3200 * nm, 2400 * nm),
            design_symmetry=None,
            **lengths,
            **MATERIALS,
        )
        return challenges.beam_splitter.model.BeamSplitterModel(params, spec)
    spec = challenges.wdm.spec.WdmSpec(
        extent_ij=units.Array([6240, 5600], nm), input_wg_j=2800 * nm, output_wgs_j=units.Array([1800, 3800], nm),
        wg_width=400 * nm, wg_mode_padding=520 * nm, input_mode_i=840 * nm, output_mode_i=5400 * nm,
        variable_region=(units.Array([1520, 1200], nm), units.Array([4720, 4400], nm)), input_monitor_offset=200 * nm,
        **MATERIALS,
    )  # fmt: skip
    return challenges.wdm.model.WdmModel(params, spec)


def on_the_whole_grid(problem: PhotonicProblem, x: Float[np.ndarray, " variables"]) -> tuple[float, np.ndarray]:
    """Loss and gradient with nothing prepared: one sparse factorisation a wavelength, for the field and its adjoint."""
    whole = problem.background.copy()
    whole[problem.box.window] = problem.permittivity(x)
    s, solved = [], []
    for number in range(len(problem.wavelengths)):
        operator, source, readers = problem.linear(number)
        factor = factorised(operator.matrix(whole))
        field = factor.solve(source)
        amplitudes = readers @ field
        s.append(amplitudes[1::2] / amplitudes[0])
        solved.append((operator, readers, factor, field, amplitudes[0]))
    value, slopes = problem.loss_of(np.stack(s))
    gradient = np.zeros(problem.grid.shape)
    for (operator, readers, factor, field, incoming), ratios, slope in zip(solved, s, slopes, strict=True):
        by_amplitude = np.zeros(readers.shape[0], complex)
        by_amplitude[1::2] = slope * ratios.conj() / np.abs(ratios) / incoming
        by_amplitude[0] = -(by_amplitude[1::2] @ ratios)
        adjoint = factor.solve(readers.T @ by_amplitude)
        gradient += (operator.weight * adjoint * field).real.reshape(problem.grid.shape)
    return value, gradient[problem.box.window].reshape(-1) * (problem.solid - problem.void)


def value_and_gradient(
    model: Any, problem: PhotonicProblem
) -> Callable[[Float[np.ndarray, "x y"]], tuple[float, Float[np.ndarray, "x y"]]]:
    """The loss of ``problem``, its fields by ``model``, one wavelength after the other, and its gradient by autograd."""
    import autograd
    import autograd.numpy as anp

    wavelength, port, sign, limit = problem.bounds

    def value(design: Any) -> Any:
        s, _ = model.simulate(design, max_parallelizm=1)
        missed = sign * (anp.abs(s[wavelength, 0, port]) - limit) / problem.narrowest
        return anp.sum(anp.logaddexp(0, missed) ** 2)

    return autograd.value_and_grad(value)
