"""Results of one problem instance, kept as soon as they are known, and the tables a run makes of them.

Each instance is one file written by whichever rank solved it; rank zero gathers them when all are there. A run that was
killed therefore solves only what is missing. A run that does the work of many (seeds and settings trained as one tensor
program) leaves a result per instance, method and seed.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runs.anytime import Trace
from runs.errors import StorageError
from runs.figures import literal, png, sheet
from runs.files import atomic_write
from runs.names import digest, plain_name
from runs.record.left_out import draw
from runs.text import printable, shortened

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
        Why there is no result (an unreadable instance) or none to the end (a solver that died; the rest is what it had found
        until then), or "".
    method, seed
        Whose result it is, where one run holds several methods or seeds; None for the run's own.
    """

    index: int
    name: str
    metrics: dict[str, float]
    trace: Trace | None = None
    log: dict[str, np.ndarray] = field(default_factory=dict)
    assignment: np.ndarray | None = None
    error: str = ""
    method: str | None = None
    seed: int | None = None

    @property
    def label(self) -> str:
        """The name, and what else tells this result from the others of its run."""
        seed = None if self.seed is None else f"seed {self.seed}"
        return printable(", ".join(part for part in (self.name, self.method, seed) if part is not None))

    def columns(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that say whose rows these are, of which ``run`` has the run's own."""
        own = {"method": self.method, "seed": self.seed, "instance": self.name}
        columns = {**run, **{key: value for key, value in own.items() if value is not None}}
        return {key: printable(value) if isinstance(value, str) else value for key, value in columns.items()}


def result_path(folder: Path, name: str, method: str | None = None, seed: int | None = None) -> Path:
    """Where the result of an instance lies; that of another name, method or seed lies elsewhere."""
    readable = name if method is None and seed is None else f"{name}-{method}-seed{seed}"
    return folder / "instances" / f"{plain_name(readable)}-{digest(name, method, seed)}.result.npz"


def save(folder: Path, result: InstanceResult) -> None:
    """Write the result of one instance below the run folder, atomically, without pickle."""
    about = {
        "index": result.index,
        "name": result.name,
        "metrics": {key: float(value) for key, value in result.metrics.items()},
        "maximize": None if result.trace is None else result.trace.maximize,
        "error": result.error,
        "method": result.method,
        "seed": result.seed,
    }
    arrays: dict[str, np.ndarray] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    if result.trace is not None:
        arrays |= {f"trace.{key}": column for key, column in result.trace.to_arrays().items()}
    arrays |= {f"log.{key}": column for key, column in result.log.items()}
    if result.assignment is not None:
        arrays["assignment"] = result.assignment
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(result_path(folder, result.name, result.method, result.seed), buffer.getvalue())


def load(path: Path) -> InstanceResult | None:
    """Read the result in a file; None if it is absent or not whole."""
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
        method=about.get("method"),
        seed=about.get("seed"),
    )


def of_instance(folder: Path, name: str) -> InstanceResult | None:
    """The run's own result of the instance of just this name; None if it is absent or not whole."""
    earlier = re.sub(r"[^\w.+-]+", "_", name).lstrip(".")[:150]  # the file's name in folders of older versions
    for path in (result_path(folder, name), folder / "instances" / f"{earlier}.result.npz"):
        found = load(path)
        if found is not None and found.name == name:
            return found
    return None


def load_all(folder: Path) -> list[InstanceResult]:
    """All results below a run folder, in the order of the data set."""
    files = sorted(
        (folder / "instances").glob("*.result.npz"), reverse=True
    )  # today's name after that of older versions
    found = [load(path) for path in files]
    each = {(result.name, result.method, result.seed): result for result in found if result is not None}
    return sorted(each.values(), key=lambda result: (result.index, result.label))


def refuse_missing(results: list[InstanceResult], count: int) -> None:
    """Refuse results of fewer than the ``count`` instances of a data set.

    Raises
    ------
    StorageError
        Names how many are missing, and the remedy.
    """
    missing = count - len({result.index for result in results})
    if missing > 0:
        raise StorageError(
            f"{missing} of {count} instances left no result: their files were removed meanwhile, or two instances have one "
            "name. Start the run again: it redoes only these"
        )


def means(results: list[InstanceResult]) -> dict[str, float]:
    """Mean of every metric over the instances and seeds, as a report has it.

    Where there are several methods, the names are ``<metric>/<method>``, and instances count that all methods have.
    Objectives and bounds have no mean over instances that differ in sense or scale, see :func:`not_averaged`.
    """
    return _averages(results)[0]


def not_averaged(results: list[InstanceResult]) -> dict[str, str]:
    """Why metrics have no mean, by name."""
    return _averages(results)[1]


def without_value(results: list[InstanceResult]) -> dict[str, int]:
    """On how many instances a metric, named as in :func:`means`, is no finite number: its mean is over the others."""
    several = len({result.method for result in results}) > 1
    missing = Counter(
        f"{metric}/{result.method}" if several and result.method else metric
        for result in results
        for metric, value in result.metrics.items()
        if not np.isfinite(value)
    )
    return dict(sorted(missing.items()))


def _averages(results: list[InstanceResult]) -> tuple[dict[str, float], dict[str, str]]:
    import pandas as pd

    from runs.record.in_common import in_common, why_no_mean
    from runs.record.outcomes import OBJECTIVES

    columns = ["paper", "method", "instance", "seed", "metric", "value"]
    rows = [
        ("", result.method or "", printable(result.name), -1 if result.seed is None else result.seed, metric, value)
        for result in results
        for metric, value in result.metrics.items()
        if np.isfinite(value)
    ]
    several = len({result.method for result in results}) > 1
    senses = {("", printable(r.name)): r.trace.maximize for r in results if r.trace is not None and len(r.trace)}
    found: dict[str, float] = {}
    without: dict[str, str] = {}
    for metric, table in pd.DataFrame(rows, columns=columns).groupby("metric", sort=True):
        shared = table[in_common(table)] if several else table
        apart = why_no_mean(shared, senses) if metric in OBJECTIVES else ""
        for method, values in shared.groupby("method", sort=True)["value"]:
            name = f"{metric!s}/{method!s}" if several and method else str(metric)
            if apart:
                without[name] = apart
            else:
                found[name] = float(np.mean(values))
    return dict(sorted(found.items())), dict(sorted(without.items()))


def write_tables(folder: Path, results: list[InstanceResult], run: Mapping[str, Any], log: RunLog) -> None:
    """Write ``results.parquet``, and ``traces.parquet``, ``iterations.parquet`` and a figure where there are traces.

    ``run`` holds the columns of the run: paper, experiment, and the method and seed of every result that has not its own.
    ``log`` shows the tables on the dashboards.
    """
    import pandas as pd

    rows = [
        {**result.columns(run), "metric": metric, "value": value}
        for result in results
        for metric, value in result.metrics.items()
    ]
    table = pd.DataFrame(rows, columns=[*run, "instance", "metric", "value"])
    write_parquet(folder / "results.parquet", table)
    log.log_table("results", table)
    logs = [pd.DataFrame(result.log).assign(**result.columns(run)) for result in results if result.log]
    if logs:
        write_parquet(folder / "iterations.parquet", pd.concat(logs, ignore_index=True))
    traced = [result for result in results if result.trace is not None and len(result.trace)]
    if traced:
        frames = [_trace_frame(result) for result in traced]
        of_whom = [frame.assign(**result.columns(run)) for frame, result in zip(frames, traced, strict=True)]
        write_parquet(folder / "traces.parquet", pd.concat(of_whom, ignore_index=True))
        curves = pd.concat(frames, ignore_index=True)
        log.log_curves("anytime", curves, series="instance")
        draw(folder, "anytime", lambda: anytime_figure(curves))


def _trace_frame(result: InstanceResult) -> pd.DataFrame:
    import pandas as pd

    assert result.trace is not None
    return pd.DataFrame({**result.trace.to_arrays(), "maximize": result.trace.maximize, "instance": result.label})


def anytime_figure(traces: pd.DataFrame) -> bytes:
    """PNG of the objective over seconds, one step line per instance."""
    figure = sheet(7, 4)
    axes = figure.subplots()
    shown = traces.groupby("instance", sort=False)
    for name, rows in shown:
        label = literal(shortened(str(name), 40)) if len(shown) <= 12 else None
        axes.step(rows["seconds"], rows["objective"], where="post", label=label)
    axes.set_xlabel("seconds")
    axes.set_ylabel("objective")
    if 0 < len(shown) <= 12:
        axes.legend(fontsize="small")
    return png(figure)


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table atomically."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    atomic_write(path, buffer.getvalue())
