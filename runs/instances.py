"""Results of one problem instance, kept as soon as they are known, and the tables a run makes of them.

Each instance is one file written by whichever rank solved it; rank zero gathers them when all are there. A run that was
killed therefore solves only what is missing.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.anytime import Trace
from runs.files import atomic_write
from runs.names import safe_name

if TYPE_CHECKING:
    import pandas as pd

    from runs.loggers.log import RunLog


@dataclass(frozen=True)
class InstanceResult:
    """What one run found on one instance.

    Parameters
    ----------
    index, name
        Position in the data set and unique name, "<data set>/<instance>".
    metrics
        Numbers by metric name.
    trace
        The anytime curve, for searches.
    log
        Per-iteration columns of equal length.
    assignment
        The solution found, if any.
    error
        Why there is no result (an unreadable instance), or "".
    """

    index: int
    name: str
    metrics: dict[str, float]
    trace: Trace | None = None
    log: dict[str, np.ndarray] = field(default_factory=dict)
    assignment: np.ndarray | None = None
    error: str = ""


def result_path(folder: Path, name: str) -> Path:
    return folder / "instances" / f"{safe_name(name)}.result.npz"


def save(folder: Path, result: InstanceResult) -> None:
    """Write the result of one instance below the run folder, atomically, without pickle."""
    about = {
        "index": result.index,
        "name": result.name,
        "metrics": {key: float(value) for key, value in result.metrics.items()},
        "maximize": None if result.trace is None else result.trace.maximize,
        "error": result.error,
    }
    arrays: dict[str, np.ndarray] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    if result.trace is not None:
        arrays |= {f"trace.{key}": column for key, column in result.trace.to_arrays().items()}
    arrays |= {f"log.{key}": column for key, column in result.log.items()}
    if result.assignment is not None:
        arrays["assignment"] = result.assignment
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(result_path(folder, result.name), buffer.getvalue())


def load(path: Path) -> InstanceResult | None:
    """Read one instance's result; None if it is absent or not whole."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        about = json.loads(arrays.pop("about").tobytes())
    except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError, KeyError):
        return None
    trace = {key.removeprefix("trace."): column for key, column in arrays.items() if key.startswith("trace.")}
    return InstanceResult(
        index=about["index"],
        name=about["name"],
        metrics=about["metrics"],
        trace=Trace.from_arrays(trace, bool(about["maximize"])) if trace else None,
        log={key.removeprefix("log."): column for key, column in arrays.items() if key.startswith("log.")},
        assignment=arrays.get("assignment"),
        error=about["error"],
    )


def load_all(folder: Path) -> list[InstanceResult]:
    """All results below a run folder, in the order of the data set."""
    found = [load(path) for path in (folder / "instances").glob("*.result.npz")]
    return sorted((result for result in found if result is not None), key=lambda result: result.index)


def means(results: list[InstanceResult]) -> dict[str, float]:
    """Mean of every metric over the instances that have it."""
    names = {name for result in results for name in result.metrics}
    columns = {name: [result.metrics[name] for result in results if name in result.metrics] for name in sorted(names)}
    return {name: float(np.mean(finite)) for name, column in columns.items() if (finite := _finite(column))}


def _finite(values: list[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def write_tables(folder: Path, results: list[InstanceResult], run: Mapping[str, Any], log: RunLog) -> None:
    """Write ``results.parquet``, and ``traces.parquet``, ``iterations.parquet`` and a figure where there are traces.

    ``run`` holds the columns every row shares: paper, experiment, method, seed. ``log`` shows them on the dashboards.
    """
    import pandas as pd

    def of_this_run(frame: pd.DataFrame) -> pd.DataFrame:
        for name, value in run.items():
            frame[name] = value
        return frame

    rows = [(result.name, metric, value) for result in results for metric, value in result.metrics.items()]
    table = of_this_run(pd.DataFrame(rows, columns=["instance", "metric", "value"]))
    write_parquet(folder / "results.parquet", table)
    log.log_table("results", table)
    logs = [pd.DataFrame(result.log).assign(instance=result.name) for result in results if result.log]
    if logs:
        write_parquet(folder / "iterations.parquet", of_this_run(pd.concat(logs, ignore_index=True)))
    traced = [result for result in results if result.trace is not None and len(result.trace)]
    if traced:
        traces = pd.concat([_trace_frame(result) for result in traced], ignore_index=True)
        write_parquet(folder / "traces.parquet", of_this_run(traces))
        log.log_curves("anytime", traces, series="instance")
        path = folder / "figures" / "anytime.png"
        atomic_write(path, anytime_figure(traces))
        log.log_figure("anytime", path)


def _trace_frame(result: InstanceResult) -> pd.DataFrame:
    import pandas as pd

    assert result.trace is not None
    return pd.DataFrame({**result.trace.to_arrays(), "maximize": result.trace.maximize, "instance": result.name})


def anytime_figure(traces: pd.DataFrame) -> bytes:
    """PNG of the objective over seconds, one step line per instance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    shown = traces.groupby("instance", sort=False)
    for name, rows in shown:
        axes.step(rows["seconds"], rows["objective"], where="post", label=str(name) if len(shown) <= 12 else None)
    axes.set_xlabel("seconds")
    axes.set_ylabel("objective")
    if 0 < len(shown) <= 12:
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table atomically."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    atomic_write(path, buffer.getvalue())
