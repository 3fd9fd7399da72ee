"""Designs to take away: pictures, layout, S-parameters, and what they meet (docs/photonics.md)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from data.photonics.brush import judge
from data.photonics.own_device import image_of
from data.photonics.problem import PhotonicProblem
from data.photonics.twins import TWINS, twins
from runs.errors import MissingDependency, at_least
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from runs.record.left_out import draw
from solvers.base import Solver
from tasks.frequency.scattering_figure import scattering_figure
from tasks.photonics.design_figure import design_figure
from tasks.photonics.layout import to_gds
from tasks.side_by_side import OWN, answers, best_of, side_by_side
from tasks.surrogate.search import SurrogateSearch


class PhotonicDesigns(SurrogateSearch):
    """A search beside others, whose best design is kept: ``design.png``, ``design.npz``, ``design.gds``, ``scattering.csv``,
    figures of the light in it and of its S-parameters with those of its twins, and a few sentences.

    Parameters
    ----------
    beside
        Other solvers by name, whose results stand beside the search's; with the run's model, budget and seed.
    points
        Wavelengths of the spectrum.
    margin
        By how much it goes beyond the device's own wavelengths, as a share of the shortest.
    shift
        nm by which the edges of the eroded and the dilated twin are moved.
    layer, datatype
        Of the layout.
    """

    def __init__(
        self,
        *given: Any,
        beside: Mapping[str, Solver] | None = None,
        points: int = 31,
        margin: float = 0.03,
        shift: float = 10.0,
        layer: int = 1,
        datatype: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(*given, **settings)
        at_least("task.", points=(points, 2), margin=(margin, 0), shift=(shift, 0.1), layer=(layer, 0))
        self.beside = dict(beside or {})
        self.points, self.margin, self.shift = points, margin, shift * 1e-9
        self.layer, self.datatype = layer, datatype

    def result(self, index: int, name: str, problem: PhotonicProblem) -> InstanceResult:
        """Search one device, and keep its best design."""
        problem.validate()
        found = side_by_side(self, self.beside, super().result, index, name, problem)
        designs = answers(found)
        best = best_of(problem, designs)
        if best is None:
            tell(self.folder, [f"no design was found for {problem.name}"])
            return found[OWN]
        prefix = "" if len(self.data.test_problems) == 1 else f"{problem.name}."
        tell(self.folder, [*self.keep(problem, np.asarray(designs[best], float), prefix), f"found by {best}"])
        return found[OWN]

    def keep(self, problem: PhotonicProblem, x: np.ndarray, prefix: str) -> list[str]:
        """Leave a design's files and figures in the run's folder; what there is to say of it."""
        picture, arrays = io.BytesIO(), io.BytesIO()
        Image.fromarray(image_of(problem, x)).save(picture, format="PNG")
        solid = problem.permittivity(x)
        np.savez(arrays, design=x.reshape(problem.box.shape), permittivity=solid, cell=problem.grid.cell)
        keep_file(self.folder, f"{prefix}design.png", picture.getvalue())
        keep_file(self.folder, f"{prefix}design.npz", arrays.getvalue())
        missing = ""
        try:
            keep_file(self.folder, f"{prefix}design.gds", to_gds(problem, x, self.layer, self.datatype))
        except MissingDependency as error:
            missing = f"no layout: {error}"
        low, high = min(problem.wavelengths), max(problem.wavelengths)
        beyond = self.margin * low
        wavelengths = np.linspace(low - beyond, high + beyond, self.points)
        images = twins(problem, x, self.shift)
        tables = {
            name: problem.spectrum(image, wavelengths.tolist()) for name, image in zip(TWINS, images, strict=True)
        }
        keep_file(self.folder, f"{prefix}scattering.csv", tables[TWINS[0]].csv().encode())
        draw(self.folder, f"{prefix}design", lambda: design_figure(problem, x))
        draw(self.folder, f"{prefix}scattering", lambda: scattering_figure(tables, problem.limits, "wavelength"))
        return [*sentences(problem, x, images), *([missing] if missing else [])]


def sentences(problem: PhotonicProblem, x: np.ndarray, images: np.ndarray) -> list[str]:
    """Whether all windows are met, or which is missed most; the same of the twins; and whether the brush can paint it."""
    s = problem.directly(x)
    worst = problem.worst(s)
    where = f"{worst.window.describe()} at {worst.wavelength * 1e9:.6g} nm, where it has {worst.decibels:.3g} dB"
    if worst.violation <= 0:
        lines = [f"{problem.name}: solved, every window is met, most narrowly {where}"]
    else:
        total = np.maximum(problem.violations(s), 0).sum()
        lines = [f"{problem.name}: not solved, windows are missed by {total:.3g} in |S| in all, most {where}"]
    scattered = problem.scattering(images)
    states = ["met" if problem.worst(each).violation <= 0 else "missed" for each in scattered]
    lines.append("windows of the twins: " + ", ".join(map(" ".join, zip(TWINS, states, strict=True))))
    verdict = judge(x.reshape(problem.box.shape) > 0.5, problem.brush, problem.surroundings)
    alone, within = int(verdict.alone.sum()), 0 if verdict.within is None else int(verdict.within.sum())
    lines.append(
        f"the brush {'can paint it' if not alone else f'cannot paint {alone} pixels of it'} on its own, and beside its "
        f"surroundings {'as well' if not within else f'{within} pixels are narrower than the brush'}"
    )
    return lines
