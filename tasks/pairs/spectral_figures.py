"""Figure of the spectral theory: spectra, embeddings and traces of one graph. PNG bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from data.pairs.graph import PairGraph
from solvers.spectral.references import eigenmaps, top_eigenvectors
from tasks.panels import BLUE, GREY, ORANGE, panels, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spectral_figure(
    graph: PairGraph, Z: Float[np.ndarray, "n K"], vicreg: dict[float, Float[np.ndarray, "n K"]]
) -> bytes:
    """Eigenvalues and those of Z Z^T; eigenmaps beside VICReg at the largest weight; trace and std over its weight."""
    figure, axes = panels(4)
    _spectrum(axes[0], graph, Z)
    _maps(axes[1], graph, vicreg[max(vicreg)])
    _traces(axes[2], graph, vicreg)
    _deviations(axes[3], graph, vicreg)
    return png(figure)


def _spectrum(axis: Axes, graph: PairGraph, Z: np.ndarray) -> None:
    K = Z.shape[1]
    shown = min(3 * K, graph.nodes)
    values, _ = top_eigenvectors(graph, shown)
    axis.plot(range(1, shown + 1), values, "o", color=GREY, label=r"$D^{-1/2} G D^{-1/2}$")
    axis.plot(range(1, K + 1), np.linalg.eigvalsh(Z.T @ Z)[::-1], "x", color=ORANGE, label="spectral contrastive")
    axis.set_title("eigenvalues")
    axis.legend()


def _maps(axis: Axes, graph: PairGraph, Z: np.ndarray) -> None:
    """Z rotated onto the eigenmaps, since the loss knows it up to a rotation only; two dimensions."""
    _, vectors = eigenmaps(graph, Z.shape[1])
    maps = vectors * np.sqrt(graph.nodes - 1)
    centred = Z - Z.mean(0)
    left, _, right = np.linalg.svd(centred.T @ maps)
    turned = centred @ left @ right
    axis.plot(maps[:, 0], maps[:, 1], "o", color=GREY, markersize=4, label="eigenmaps")
    axis.plot(turned[:, 0], turned[:, 1], "x", color=ORANGE, markersize=3, label="VICReg, rotated")
    axis.set_title("first two eigenmaps")
    axis.legend()


def _traces(axis: Axes, graph: PairGraph, vicreg: dict[float, np.ndarray]) -> None:

    values, _ = eigenmaps(graph, next(iter(vicreg.values())).shape[1])
    axis.plot(list(vicreg), [graph.trace(Z) / values.sum() for Z in vicreg.values()], "o-", color=BLUE)
    axis.axhline(1, color=GREY, linewidth=0.8)
    axis.set_title(r"$\mathrm{Tr}(Z^T L Z) / (n-1)$ over $\sum_k \lambda_k$")
    _over_weight(axis, list(vicreg), float(values.sum()))


def _deviations(axis: Axes, graph: PairGraph, vicreg: dict[float, np.ndarray]) -> None:
    values, _ = eigenmaps(graph, next(iter(vicreg.values())).shape[1])
    axis.plot(list(vicreg), [Z.std(0, ddof=1).mean() for Z in vicreg.values()], "o-", color=BLUE, label="VICReg")
    weights = np.geomspace(min(vicreg), max(vicreg), 100)
    theory = np.minimum(1, weights / (4 * values.sum()))
    axis.plot(
        weights, theory, color="black", linestyle="--", linewidth=0.8, label=r"$w / (4 \sum_k \lambda_k)$, at most 1"
    )
    axis.set_title("standard deviation of a dimension")
    axis.legend()
    _over_weight(axis, list(vicreg), float(values.sum()))


def _over_weight(axis: Axes, weights: list[float], eigenvalues: float) -> None:
    axis.axvline(4 * eigenvalues, color=GREY, linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    axis.set_xticks(weights, [f"{weight:g}" for weight in weights])
    axis.set_xticks([], minor=True)
    axis.set_xlabel(r"weight $w$; dotted: $4 \sum_k \lambda_k$")
