"""The published devices in the published packages (ceviche, ceviche-challenges; ``make peers``)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

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


def value_and_gradient(model: Any) -> Callable[[Float[np.ndarray, "x y"]], tuple[float, Float[np.ndarray, "x y"]]]:
    """The sum of |S21|^2 over both wavelengths, one after the other, and its gradient by autograd."""
    import autograd
    import autograd.numpy as anp

    def value(design: Any) -> Any:
        s, _ = model.simulate(design, max_parallelizm=1)
        return anp.sum(anp.abs(s[:, 0, 1]) ** 2)

    return autograd.value_and_grad(value)
