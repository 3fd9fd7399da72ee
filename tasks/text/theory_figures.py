"""Figures of the theory: what the theorems say beside what the flow does, and the flow over SGD. PNG bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from solvers.dynamics.one_layer_path import Path
from tasks.panels import BLUE, GREEN, GREY, ORANGE, panels, png
from tasks.text import theorems
from tasks.text.learning_rates import LearningRates
from tasks.text.sgd_beside_flow import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def theorem_figure(
    path: Path, sweep: list[Path], rates: LearningRates, entropy: Float[np.ndarray, "rates ratios"]
) -> bytes:
    """Fates, growth factors, relative gain, growth, fitting times and the control by learning rates, for one vocabulary."""
    figure, axes = panels(3, rows=2)
    _fates(axes[0], path)
    _growth_factors(axes[1], path)
    _relative_gain(axes[2], path)
    _growth(axes[3], path)
    _fitting_times(axes[4], sweep)
    _control(axes[5], rates, entropy)
    return png(figure)


def sgd_figure(comparison: Comparison) -> bytes:
    """Attention logits, decoder and token weights of the first class: SGD's mean and range, the dynamics on top."""
    figure, axes = panels(3)
    dynamics = comparison.path.dynamics
    distinct, query = dynamics.distinct[0], dynamics.query[0]
    tokens = [
        *((dynamics.common[0],) if len(dynamics.common) else ()),
        distinct[0],
        distinct[len(distinct) // 2],
        distinct[-1],
    ]
    labels = [
        *(("common",) if len(dynamics.common) else ()),
        "rarest distinct",
        "middle distinct",
        "most frequent distinct",
    ]
    next_token = int(dynamics.data.next_token[0])
    weights = dynamics.probabilities[0] * np.exp(comparison.Z[:, :, query])
    token_weights = weights / weights.sum(-1, keepdims=True)
    for colour, token, label in zip((GREY, BLUE, GREEN, ORANGE)[-len(tokens) :], tokens, labels, strict=True):
        _laid_over(
            axes[0], comparison.steps, comparison.Z[:, :, query, token], comparison.logits[:, query, token], colour
        )
        right = comparison.Y[..., token, next_token], comparison.decoder[:, token, next_token]
        _laid_over(axes[1], comparison.steps, *right, colour)
        _laid_over(axes[2], comparison.steps, token_weights[..., token], comparison.path.c[:, 0, token], colour, label)
    for axis, title in zip(
        axes, ("attention logits $z_{ml}$", "decoder $Y_{ln}$", "token weights $c_{nl}$"), strict=True
    ):
        axis.set_title(title)
        axis.set_xlabel("step of SGD")
    axes[0].plot([], [], color="black", linestyle="--", linewidth=1, label="theory; colours: SGD, mean and range")
    handles = [pair for axis in axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=len(handles), fontsize=8)
    return png(figure)


def _laid_over(
    axis: Axes, steps: np.ndarray, sgd: np.ndarray, flow: np.ndarray, colour: str, label: str | None = None
) -> None:
    axis.fill_between(steps, sgd.min(1), sgd.max(1), color=colour, alpha=0.25, linewidth=0)
    axis.plot(steps, sgd.mean(1), color=colour, linewidth=2.4, alpha=0.6, label=label)
    axis.plot(steps, flow, color="black", linestyle="--", linewidth=1)


def _fates(axis: Axes, path: Path) -> None:
    time = path.times / path.fitted_at
    distinct = path.of_distinct(path.z)[:, 0]
    for position, z in enumerate(distinct.T):
        axis.plot(time, z, color=BLUE, alpha=0.25 + 0.75 * (position + 1) / distinct.shape[1])
    axis.plot(time, path.z[:, 0][:, path.dynamics.common], color=ORANGE)
    _over_time(axis, "Theorem 2: $z_{ml}$; distinct blue, common orange")


def _growth_factors(axis: Axes, path: Path) -> None:
    dominant = path.xi[1:, 0, -1:]
    ratios = path.xi[1:, 0] / dominant
    for position, ratio in enumerate(ratios.T):
        axis.plot(
            path.times[1:] / path.fitted_at, ratio, color=BLUE, alpha=0.25 + 0.75 * (position + 1) / ratios.shape[1]
        )
    axis.set_yscale("log")
    axis.set_ylim(min(0.5, 0.8 * ratios.min()), max(2.0, 1.25 * ratios.max()))
    _over_time(axis, r"Theorem 3: $\xi_n$ of each distinct token / of the dominant one")


def _relative_gain(axis: Axes, path: Path) -> None:
    measured, predicted = theorems.log_gains(path)
    axis.plot(predicted[:, 0], measured[:, 0], color=BLUE, alpha=0.7)
    axis.plot(predicted[:, 0, :1], predicted[:, 0, :1], color="black", linestyle="--", linewidth=1)
    axis.set_title(r"Theorem 3: $\ln r(t)/r(0)$ over $2\Delta z_{ml}$; dashed: equal")


def _growth(axis: Axes, path: Path) -> None:
    time = path.times / path.fitted_at
    axis.plot(time, path.growth.mean(1), color=BLUE, linewidth=2, label="$B_n$ measured")
    if len(path.dynamics.common) == 1:
        axis.plot(
            time, theorems.snapping(path).closed_form, color=ORANGE, linestyle="--", label="closed form, best $C_0$"
        )
    late = path.times >= theorems.SNAPPING * path.fitted_at
    clock, growth = theorems.log_log_time(path, path.times[late]), path.growth.mean(1)[late]
    axis.plot(time[late], np.polyval(np.polyfit(clock, growth, 1), clock), color=GREEN, linestyle=":", label="ln ln t")
    logarithm = np.log(path.times[late])
    axis.plot(
        time[late], np.polyval(np.polyfit(logarithm, growth, 1), logarithm), color=GREY, linestyle=":", label="ln t"
    )
    axis.axvline(1, color=GREY, linewidth=0.8)
    axis.legend()
    _over_time(axis, "Theorem 4: growth; line at $t_0'$")


def _fitting_times(axis: Axes, sweep: list[Path]) -> None:
    for position, path in enumerate(sweep):
        gamma = path.gamma.mean(1)
        axis.plot(
            path.times / path.fitted_at,
            gamma / gamma.max(),
            color=BLUE,
            alpha=0.25 + 0.75 * (position + 1) / len(sweep),
            label=rf"$\eta_Y$ = {path.dynamics.eta_y:g}",
        )
    axis.axvline(1, color=GREY, linewidth=0.8)
    axis.legend()
    _over_time(axis, r"Theorem 4: $\gamma$ / its maximum, over $t/t_0'$")


def _control(axis: Axes, rates: LearningRates, entropy: np.ndarray) -> None:
    for position, (eta_z, row) in enumerate(zip(rates.eta_z, entropy, strict=True)):
        shade = 0.25 + 0.75 * (position + 1) / len(entropy)
        axis.plot(rates.ratios, row, marker="o", color=BLUE, alpha=shade, label=rf"$\eta_Z$ = {eta_z:g}")
    axis.set_xscale("log")
    axis.set_xticks(rates.ratios, [f"{ratio:g}" for ratio in rates.ratios])
    axis.set_xlabel(r"$\eta_Y / \eta_Z$")
    axis.set_title("Final entropy over distinct tokens, nats")
    axis.legend()


def _over_time(axis: Axes, title: str) -> None:
    axis.set_xscale("log")
    axis.set_xlabel("$t / t_0'$")
    axis.set_title(title)
