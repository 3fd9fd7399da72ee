"""One run folder as it is read back: its record, its tables, and the cause where there is no result."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from runs.environment import COMMAND
from runs.errors import ConfigError
from runs.files import read_record
from runs.record.left_out import WARNING_FILE
from runs.record.run_record import RunStatus, status
from runs.record.seal import SETTINGS, damage, edited, read_settings
from runs.text import cleaned, one_line, printable

RESULT_COLUMNS = ["paper", "experiment", "method", "instance", "seed", "metric", "value"]
TRACE_COLUMNS = ["instance", "seconds", "evaluations", "objective", "bound", "maximize"]
SHOWN_FILE = "report.json"
"""In a run's folder: settings of the report that were given after the run."""
WHOLE = "all"
"""Instance name of a metric that belongs to a run as a whole."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder.

    Parameters
    ----------
    results
        Rows of :data:`RESULT_COLUMNS`; their methods and seeds are the run's own unless it did the work of several.
    traces
        None where nothing searched.
    method
        The method of the run as a whole.
    methods
        Every method that its rows name, each with the name before :attr:`variant` was added.
    variant
        The settings that tell this run from others with the same method, seed and data set.
    cause
        Why a run that is not usable is not.
    """

    folder: Path
    status: RunStatus
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)
    results: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RESULT_COLUMNS))
    traces: pd.DataFrame | None = None
    method: str = "?"
    methods: dict[str, str] = field(default_factory=dict)
    variant: dict[str, Any] = field(default_factory=dict)
    cause: str = ""

    @property
    def usable(self) -> bool:
        """Finished and readable."""
        return self.status == RunStatus.FINISHED and not self.cause

    @property
    def state(self) -> str:
        """The derived status; "corrupt" for a finished run that cannot be read."""
        return "corrupt" if self.status == RunStatus.FINISHED and self.cause else str(self.status)

    @property
    def paper(self) -> str:
        return str(self.config.get("paper") or "?")

    @property
    def experiment(self) -> str:
        return str(self.config.get("experiment") or "?").removeprefix(f"{self.paper}/")

    @property
    def warning(self) -> str:
        """What speaks against its result although it finished, in one line."""
        path = self.folder / WARNING_FILE
        return one_line(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""

    @property
    def edited(self) -> bool:
        """True if its file of settings is no longer what the run wrote."""
        return self.usable and edited(self.folder, self.record)

    @property
    def seed(self) -> int:
        seed = self.config.get("seed")
        return seed if type(seed) is int else 0

    @property
    def seeds(self) -> list[int]:
        """The seeds of its rows."""
        return sorted(set(self.results["seed"])) or [self.seed]

    @property
    def dataset(self) -> str:
        return str(dictionary(self.config.get("data")).get("name") or "")

    @property
    def command(self) -> str:
        """The shell line that makes this run again."""
        overrides = self.environment.get("overrides") or self.failure.get("overrides")
        words = ["--config-dir", str(self.config_dir)] if self.config_dir else []
        words += overrides if isinstance(overrides, list) else []
        return shlex.join([*COMMAND, *(str(text) for text in words)])

    @property
    def config_dir(self) -> Path | None:
        """Where the user's own configuration was, if the run had any besides the project's."""
        folder = self.environment.get("config_dir")
        return Path(folder) if isinstance(folder, str) else None

    @property
    def moments(self) -> list[float]:
        """Seconds at which gaps are reported besides the end."""
        shown = read_record(self.folder / SHOWN_FILE) or dictionary(self.config.get("report"))
        given = shown.get("at_seconds")
        listed: list[Any] = given if isinstance(given, list) else [given]
        return [float(moment) for moment in listed if _is_amount(moment)]

    @property
    def budget(self) -> dict[str, Any]:
        """``task.budget``: seconds and evaluations, either may be absent."""
        budget = dictionary(dictionary(self.config.get("task")).get("budget"))
        return {name: value for name, value in budget.items() if _is_amount(value)}


def load_run(folder: Path) -> Run:
    """Read one run record; what cannot be read becomes the run's cause."""
    state = status(folder)
    run = Run(
        folder,
        state,
        environment=_read(folder / "environment.json"),
        record=_read(folder / "metrics.json"),
        failure=_read(folder / "failure.json") if state == RunStatus.FAILED else {},
    )
    try:
        if state == RunStatus.FINISHED and (wrong := damage(folder, run.record)):
            raise ConfigError(wrong)
        there = state == RunStatus.FINISHED or (folder / SETTINGS).exists()
        config = cleaned(read_settings(folder)) if there else {}
        run = replace(run, config=config, method=str(config.get("method") or "?"))
        return _read_tables(run) if state == RunStatus.FINISHED else replace(run, cause=_why_unfinished(run))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, ConfigError) as error:
        return replace(run, cause=f"cannot be read: {one_line(str(error))[:300]}; {_remedy(run)}")


def _remedy(run: Run) -> str:
    """The command that does this run again, and of its sweep nothing else."""
    command = sweep_command(run.folder.parent) or (run.command if run.environment.get("overrides") else "")
    return f"this does it again: {command}" if command else "start it again, and it is done anew"


def sweep_command(folder: Path) -> str:
    """The shell line that makes the whole sweep in ``folder`` again; "" where the launcher left none."""
    command = _read(folder / "sweep.json").get("command")
    return shlex.join(str(text) for text in command) if isinstance(command, list) else ""


def _why_unfinished(run: Run) -> str:
    if run.status == RunStatus.FAILED:
        return f"{run.failure.get('type', 'Error')}: {run.failure.get('message', 'no message')}"
    if run.status == RunStatus.RUNNING:
        return "still running"
    return "killed: it left neither metrics.json nor failure.json; the same command goes on with it"


def _read_tables(run: Run) -> Run:
    path = run.folder / "results.parquet"
    if path.exists():
        results = _read_parquet(path, ["instance", "metric", "value"])
    else:
        metrics = dictionary(run.record.get("metrics"))
        results = pd.DataFrame({"instance": WHOLE, "metric": list(metrics), "value": list(metrics.values())})
    results = _owned(results, run).assign(
        paper=run.paper,
        experiment=run.experiment,
        metric=results["metric"].astype(str).map(printable),
        value=pd.to_numeric(results["value"]).astype(float),
    )[RESULT_COLUMNS]
    path = run.folder / "traces.parquet"
    if not path.exists():
        return replace(run, results=results)
    traces = _owned(_read_parquet(path, TRACE_COLUMNS), run)
    numbers = {"seconds": float, "evaluations": int, "objective": float, "bound": float, "maximize": bool}
    return replace(run, results=results, traces=traces.astype(numbers))


def _owned(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """A table whose rows say whose they are: by their own method and seed, or else by the run's."""
    own: dict[str, Any] = {"method": run.method, "seed": run.seed}
    columns: dict[str, Any] = {
        name: table[name].fillna(value) if name in table else value for name, value in own.items()
    }
    table = table.assign(**columns, instance=_qualified(table["instance"].astype(str).map(printable), run.dataset))
    table = table.astype({"method": str, "seed": int})
    return table.assign(method=table["method"].map(printable))


def _read_parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:
        raise ConfigError(f"{path.name} is not a readable table ({error})") from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ConfigError(f"{path.name} lacks the column {', '.join(missing)}")
    return frame


def _qualified(instances: pd.Series, dataset: str) -> pd.Series:
    """Instance names that say their data set, so that two data sets cannot meet in one name."""
    return instances.where(instances.str.contains("/"), f"{dataset}/" + instances) if dataset else instances


def _is_amount(value: Any) -> bool:
    """True for a positive, finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _read(path: Path) -> dict[str, Any]:
    return cleaned(read_record(path))


def dictionary(value: Any) -> dict[str, Any]:
    """The value if it is a mapping; a damaged record reads as an empty one."""
    return value if isinstance(value, dict) else {}
