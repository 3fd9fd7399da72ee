"""Figures of the linear twins: the flow's phase portrait, or its spectrum, with SGD over it. PNG bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.pairs.modes import Modes
from solvers.dynamics.linear_twins import TwinFlow, TwinPath, effective_rank
from tasks.pairs.twins_sgd import Comparison
from tasks.panels import BLUE, GREEN, GREY, ORANGE, panels, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def trained_figure(flow: TwinFlow, path: TwinPath, comparison: Comparison) -> bytes:
    """Phase portrait, s over time, and what becomes of it; of modes that do not touch each other."""
    figure, axes = panels(3)
    _portrait(axes[0], flow, comparison)
    _over_time(axes[1], comparison, comparison.correlation, comparison.path.correlation)
    axes[1].set_title("$s$ of each mode; SGD blue (mean, range), flow dashed")
    _fate(axes[2], flow, path)
    return png(figure)


def set_predictor_figure(flow: TwinFlow, path: TwinPath, comparison: Comparison) -> bytes:
    """Spectrum relative to the strongest mode, eigenvalues of the predictor, and the effective rank, over time."""
    figure, axes = panels(3)
    shares = comparison.correlation / comparison.correlation.max(-1, keepdims=True)
    ours = comparison.path.correlation
    _over_time(axes[0], comparison, shares, ours / ours.max(-1, keepdims=True))
    axes[0].set_yscale("log")
    axes[0].set_title(r"$s_j / s_{\max}$; SGD blue (mean, range), flow dashed")
    _over_time(axes[1], comparison, comparison.predictor, comparison.path.predictor)
    axes[1].set_title("$p_j$ set from the average of $F$")
    axes[2].plot(path.times, effective_rank(path.correlation), color="black", linestyle="--", label="flow")
    rank = effective_rank(comparison.correlation.mean(1))
    axes[2].plot(comparison.path.times, rank, color=BLUE, alpha=0.7, label="SGD")
    axes[2].axhline(path.correlation.shape[1], color=GREY, linewidth=0.8)
    axes[2].set_title("effective rank of $F$; line: number of modes")
    axes[2].set_xlabel("time")
    axes[2].legend()
    return png(figure)


def _portrait(axis: Axes, flow: TwinFlow, comparison: Comparison) -> None:
    """Stream lines of (p, s), the curve s = p^2 / alpha, fixed points, and SGD's mean trajectories."""
    top_p = max(1.25, 1.1 * comparison.predictor.max())
    top_s = 1.1 * max(1.0, comparison.correlation.max())
    p, s = np.meshgrid(np.linspace(0, top_p, 30), np.linspace(0, top_s, 30))
    field = TwinFlow(Modes("", p.ravel(), s.ravel()), flow.rates, flow.predictor, flow.stop_gradient)
    dp, ds, _ = (part.reshape(p.shape) for part in np.split(field.velocity(0.0, field.initial), 3))
    axis.streamplot(p, s, dp, ds, color=GREY, linewidth=0.6, density=1.1, arrowsize=0.7)
    curve = np.linspace(0, top_p, 100)
    if flow.predictor.trained:
        axis.plot(curve, curve**2 / flow.rates.alpha, color=GREEN, linewidth=1.2, label=r"$s = p^2 / \alpha$")
    if flow.predictor.trained and flow.stop_gradient and flow.rates.fixed_points is not None:
        points = np.array(flow.rates.fixed_points)
        heights = points**2 / flow.rates.alpha
        axis.scatter(points[:1], heights[:1], color="white", edgecolor=ORANGE, zorder=4, label="saddle")
        axis.scatter(points[1:], heights[1:], color=ORANGE, zorder=4, label="stable")
    axis.plot(comparison.predictor.mean(1), comparison.correlation.mean(1), color=BLUE, linewidth=1.6)
    axis.scatter(comparison.predictor[0, 0], comparison.correlation[0, 0], color=BLUE, s=14, zorder=3)
    axis.plot([], [], color=BLUE, label="SGD, mean; dot: start")
    axis.set_xlim(0, top_p)
    axis.set_ylim(0, top_s)
    axis.set_xlabel("$p$")
    axis.set_ylabel("$s$")
    axis.set_title("phase portrait of a mode")
    axis.legend(loc="best")


def _over_time(axis: Axes, comparison: Comparison, sgd: np.ndarray, flow: np.ndarray) -> None:
    times = comparison.path.times
    for mode in range(flow.shape[1]):
        axis.fill_between(times, sgd[..., mode].min(1), sgd[..., mode].max(1), color=BLUE, alpha=0.2, linewidth=0)
        axis.plot(times, sgd[..., mode].mean(1), color=BLUE, linewidth=2, alpha=0.5)
        axis.plot(times, flow[:, mode], color="black", linestyle="--", linewidth=0.8)
    axis.set_xlabel("time (learning rate times steps)")


def _fate(axis: Axes, flow: TwinFlow, path: TwinPath) -> None:
    """|s - p^2 / alpha| of the flow beside its theory, or s where there is none, on a log scale."""
    axis.set_yscale("log")
    axis.set_xlabel("time")
    if not (flow.predictor.trained and flow.stop_gradient):
        axis.plot(path.times, path.correlation, color=BLUE, alpha=0.6)
        axis.set_title("$s$ of the flow")
        return
    gap = np.abs(path.correlation - path.predictor**2 / flow.rates.alpha)
    axis.plot(path.times, gap, color=BLUE, alpha=0.6)
    theory = gap[0] * np.exp(-2 * flow.rates.decay * path.times)[:, None]
    axis.plot(path.times, theory, color="black", linestyle="--", linewidth=0.8)
    axis.set_title(r"$|s - p^2/\alpha|$ of the flow; dashed: its start times $e^{-2 \eta t}$")
