"""Theorems 2 to 4 of Scan and Snap as numbers, measured on a path from Y = 0, Z = 0 with T -> infinity.

docs/papers/scan_snap.md#4.1, #4.2, #4.3.

All three are proved in the paper for its reduced dynamics, in which Y (e_n - alpha_n) lies at all times in the span of the
present features f_n (:class:`~solvers.dynamics.one_layer_transformer.SelfAttentionDynamics`); for the gradient flow itself
that holds to leading order in time only. What each needs beside this is said where it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from solvers.dynamics.one_layer_path import Path

SCANNING = 0.1, 1.0
"""Times, in units of t0', over which the growth before t0' is fitted."""
SNAPPING = 3.0
"""Time, in units of t0', from which on the growth after t0' is fitted."""


def fates(path: Path) -> dict[str, float]:
    """Theorem 2: distinct tokens gain attention, a common token loses it.

    Shares over all times after 0, classes and tokens; the theorem says 1. Its part on common tokens is proved for a single
    one; tokens that are equally common move alike, so that it extends to them.
    """
    found = {"distinct_rising": float(np.mean(path.of_distinct(path.dz)[1:] > 0))}
    common = path.dynamics.common
    if len(common):
        found["common_falling"] = float(np.mean(path.dz[1:][..., common] < 0))
    return found


def relative_gain(path: Path) -> dict[str, float]:
    """Theorem 3: dz_ml/dt = xi_n f_nl^2 with one xi_n for all distinct tokens of a class, and what follows from it.

    ``growth_factor_spread`` is the largest difference of xi_n between tokens, relative to the largest xi_n at that time;
    ``relative_gain_error`` that of ln r(t) / r(0) from 2 (z_ml(t) - z_ml(0)), relative to the path's largest ln r(t) / r(0);
    ``growth_bounds_hold`` the share of times and classes where f_l0^2(0) B_n <= z_l0(t) - z_l0(0) <= B_n for the
    dominant token l0. Needs two distinct tokens of unequal co-occurrence in each class.
    """
    xi = path.xi[1:]
    spread = (xi.max(-1) - xi.min(-1)) / np.abs(xi).max(-1)
    found = {"growth_factor_spread": float(spread.max()), "growth_bounds_hold": float(np.mean(_within_bounds(path)))}
    measured, predicted = log_gains(path)
    if measured.size:
        found["relative_gain_error"] = float(np.abs(measured - predicted).max() / np.abs(measured).max())
    return found


def log_gains(path: Path) -> tuple[Float[np.ndarray, "n K others"], Float[np.ndarray, "n K others"]]:
    """ln r(t) / r(0) of the dominant token over each other distinct token, measured and as 2 (z(t) - z(0))."""
    f, z = path.of_distinct(path.f), path.of_distinct(path.z)
    gain = f[..., -1:] ** 2 / f[..., :-1] ** 2 - 1
    measured = np.log(gain / gain[0])
    return measured, np.broadcast_to(2 * (z - z[0])[..., -1:], measured.shape)


def _within_bounds(path: Path) -> np.ndarray:
    moved = path.of_distinct(path.z - path.z[0])[..., -1]
    lowest = path.of_distinct(path.f)[0, :, -1] ** 2 * path.growth
    rounding = 1e-9 * path.growth.max()
    return (lowest <= moved + rounding) & (moved <= path.growth + rounding)


@dataclass(frozen=True, eq=False)
class Snapping:
    """How the growth B_n, mean over the classes, compares with Theorem 4's account of it.

    Parameters
    ----------
    growth, closed_form
        (n,) B_n, and 1/4 ln(1 + 4 eta_z C_0^{-1} int gamma) with the one C_0 that fits best.
    constant
        (n - 1,) C_0^{-1} measured at each time after 0 from dz_common/dt = -eta_z C_0^{-1} gamma e^{4 z_common}.
    exponent
        p of dz_common/dt ~ gamma e^{p z_common}, fitted from t0' on.
    """

    growth: Float[np.ndarray, " n"]
    closed_form: Float[np.ndarray, " n"]
    constant: Float[np.ndarray, " n-1"]
    exponent: float


def snapping(path: Path) -> Snapping:
    """Theorem 4's closed form on a path with a single common token.

    The theorem supposes that C_0 is constant, and that xi_n = -dz_common/dt. Neither follows from the dynamics: where each
    query has one class and all classes are alike, the reduced dynamics give dz_common/dt = -xi_n (1 - f_common^2) exactly,
    with xi_n proportional to f_common^2 times a coupling of the classes that itself changes as the decoder fits.
    """
    from scipy.optimize import minimize_scalar

    (common,) = path.dynamics.common
    z, dz = path.z[..., common].mean(1), path.dz[..., common].mean(1)
    gamma, pushed, growth = path.gamma.mean(1), path.pushed.mean(1), path.growth.mean(1)
    eta_z = path.dynamics.eta_z
    constant = -dz[1:] / (eta_z * gamma[1:] * np.exp(4 * z[1:]))

    def form(log_constant: float) -> np.ndarray:
        return np.log1p(4 * eta_z * np.exp(log_constant) * pushed) / 4

    around = np.log(constant.min()) - 5, np.log(constant.max()) + 5
    best = minimize_scalar(lambda x: np.sum((form(x) - growth) ** 2), bounds=around, method="bounded").x
    late = path.times[1:] > path.fitted_at
    exponent = np.polyfit(z[1:][late], np.log(-dz[1:] / gamma[1:])[late], 1)[0]
    return Snapping(growth, form(best), constant, float(exponent))


def snapping_metrics(path: Path) -> dict[str, float]:
    """Theorem 4 in numbers; where there are several common tokens, of the growth alone.

    ``snap_constant_drift`` is max C_0 / min C_0 (theory 1), ``snap_exponent`` p (theory 4), ``snap_form_error`` the largest
    error of the closed form relative to the final B_n. ``scanning_power`` is the slope of ln B_n over ln t before t0', less
    than 1 for a growth like ln t. ``snapping_loglog_advantage`` is R^2 of B_n over ln ln(M eta_y t / K) less R^2 over ln t,
    both after t0'. The closed form itself gives ln t and ln ln t only once B_n >> 1/4; before, B_n goes with int gamma, like
    t^2 up to t0' and like ln^2 t after. With a single common token B_n(t0') (``scanning_growth``) is about 1/4 at most for
    eta_z = eta_y, and far below where the theory is at home, eta_y >> eta_z.
    """
    growth = path.growth.mean(1)
    early = (path.times >= SCANNING[0] * path.fitted_at) & (path.times <= SCANNING[1] * path.fitted_at)
    late = path.times >= SNAPPING * path.fitted_at
    log_t = np.log(path.times, where=path.times > 0, out=np.full_like(path.times, -np.inf))
    loglog = log_log_time(path, path.times[late])
    found = {
        "scanning_power": float(np.polyfit(log_t[early], np.log(growth[early]), 1)[0]),
        "scanning_growth": float(np.interp(path.fitted_at, path.times, growth)),
        "snapping_log_r2": _r2(log_t[late], growth[late]),
        "snapping_loglog_r2": _r2(loglog, growth[late]),
        "final_growth": float(growth[-1]),
    }
    found["snapping_loglog_advantage"] = found["snapping_loglog_r2"] - found["snapping_log_r2"]
    if len(path.dynamics.common) == 1:
        theory = snapping(path)
        found["snap_constant_drift"] = float(theory.constant.max() / theory.constant.min())
        found["snap_exponent"] = theory.exponent
        found["snap_form_error"] = float(np.abs(theory.closed_form - growth).max() / growth[-1])
    return found


def log_log_time(path: Path, times: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """ln ln(M eta_y t / K), the clock of the snapping phase (its constant factor is the paper's, appendix on Theorem 4)."""
    data = path.dynamics.data
    return np.log(np.log(data.vocabulary_size * path.dynamics.eta_y * times / data.classes))


def measured_fitting_time(path: Path) -> float:
    """When gamma, mean over the classes, is largest: it grows like eta_y t before t0' and decays after."""
    gamma, log_t = path.gamma.mean(1)[1:], np.log(path.times[1:])
    top = int(np.clip(np.argmax(gamma), 1, len(gamma) - 2))
    a, b, _ = np.polyfit(log_t[top - 1 : top + 2], gamma[top - 1 : top + 2], 2)
    return float(np.exp(-b / (2 * a)))


def fitting_times(paths: list[Path]) -> dict[str, float]:
    """Theorem 4's t0' = K ln M / eta_y over a sweep of eta_y at fixed eta_z.

    ``fitting_time_ratio`` is measured over predicted (geometric mean), ``fitting_time_exponent`` the power of eta_y in the
    measured, theory -1. With a single common token, as the theorem has it, ``fitting_time_error`` is the largest relative
    error over the sweep; many common tokens make the f_n of the classes overlap, which delays the fit.
    """
    measured = np.array([measured_fitting_time(path) for path in paths])
    ratios = measured / [path.fitted_at for path in paths]
    found = {"fitting_time_ratio": float(np.exp(np.log(ratios).mean()))}
    if len(paths) > 1:
        rates = [path.dynamics.eta_y for path in paths]
        found["fitting_time_exponent"] = float(np.polyfit(np.log(rates), np.log(measured), 1)[0])
    if len(paths[0].dynamics.common) == 1:
        found["fitting_time_error"] = float(np.abs(ratios - 1).max())
    return found


def _r2(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2)
