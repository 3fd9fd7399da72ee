"""Loading a sweep's folder: what its runs left, and what became of those that left nothing."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from runs.errors import ConfigError
from runs.files import read_json
from runs.names import NOT_PART_OF_A_RUN
from runs.record import RunStatus, status

RESULT_COLUMNS = ["paper", "experiment", "method", "instance", "seed", "metric", "value"]
TRACE_COLUMNS = ["instance", "seconds", "evaluations", "objective", "bound", "maximize"]
RECORD_FILES = ("config.yaml", "environment.json", "metrics.json", "failure.json", "owner.lock")
WHOLE = "all"
"""Instance name of a metric that belongs to a run as a whole."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder. ``cause`` says why a run that is not usable is not; ``traces`` is None where nothing searched."""

    folder: Path
    status: RunStatus
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)
    results: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RESULT_COLUMNS))
    traces: pd.DataFrame | None = None
    method: str = "?"
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
    def seed(self) -> int:
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else 0

    @property
    def dataset(self) -> str:
        data = self.config.get("data")
        return str(data.get("name") or "") if isinstance(data, dict) else ""

    @property
    def command(self) -> str:
        """The shell line that makes this run again."""
        overrides = self.environment.get("overrides") or self.failure.get("overrides")
        words = overrides if isinstance(overrides, list) else []
        return shlex.join(["python", "launch.py", *(str(text) for text in words)])

    @property
    def moments(self) -> list[float]:
        """Seconds at which gaps are reported besides the end."""
        return [float(moment) for moment in _dictionary(self.config.get("report")).get("at_seconds") or []]

    @property
    def budget(self) -> dict[str, Any]:
        """``task.budget``: seconds and evaluations, either may be absent."""
        task = self.config.get("task")
        budget = task.get("budget") if isinstance(task, dict) else None
        return budget if isinstance(budget, dict) else {}


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of a folder; ``results`` are those of the usable ones."""

    folder: Path
    runs: list[Run]

    @property
    def usable(self) -> list[Run]:
        return [run for run in self.runs if run.usable]

    @property
    def is_single_run(self) -> bool:
        return len(self.runs) == 1 and self.runs[0].folder == self.folder

    @property
    def command(self) -> str:
        """The shell line that makes the whole sweep again; "" where the launcher left none."""
        command = _dictionary(read_json(self.folder / "sweep.json")).get("command")
        return shlex.join(str(text) for text in command) if isinstance(command, list) else ""

    @property
    def not_begun(self) -> list[str]:
        """Jobs of the sweep that never got as far as a folder, by their overrides."""
        jobs = _dictionary(read_json(self.folder / "not_begun.json")).get("jobs")
        return [shlex.join(str(text) for text in job) for job in jobs or () if isinstance(job, list)]

    @property
    def instance_errors(self) -> dict[tuple[str, str], list[Run]]:
        """Instances without a result and why, with the runs that finished nevertheless."""
        found: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in self.usable:
            for name, text in _dictionary(run.record.get("instance_errors")).items():
                found[str(name), str(text)].append(run)
        return dict(sorted(found.items(), key=lambda item: item[0]))

    @property
    def results(self) -> pd.DataFrame:
        """Rows of :data:`RESULT_COLUMNS` as the runs wrote them."""
        frames = [run.results for run in self.usable if len(run.results)]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=RESULT_COLUMNS)

    @property
    def experiments(self) -> list[tuple[str, str]]:
        """The (paper, experiment) pairs that have usable runs."""
        return sorted({(run.paper, run.experiment) for run in self.usable})

    def restricted(self, paper: str, experiment: str) -> Sweep:
        """The runs of one experiment only."""
        return Sweep(self.folder, [r for r in self.runs if (r.paper, r.experiment) == (paper, experiment)])


def load(folder: Path | str) -> Sweep:
    """Read every run record below ``folder``, which may be a sweep or a single run.

    A run that is running, was killed, failed or cannot be read is kept with its cause and never stops the others.

    Raises
    ------
    ConfigError
        There is no such folder, or no run record in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; give the folder of a sweep or of a run")
    folders = list(run_folders(folder))
    if not folders:
        raise ConfigError(
            f"{folder}: holds no run record (no subfolder with config.yaml); give the folder of a sweep or of a run"
        )
    return Sweep(folder, _with_variants([_load_run(path) for path in folders]))


def run_folders(folder: Path) -> Iterator[Path]:
    """The run folders of a sweep in order of name; the folder itself if it is a run."""
    if _is_run(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and _is_run(path):
            yield path


def dataset_of(instance: str) -> str:
    """The data set an instance belongs to: what stands before the first slash."""
    return instance.split("/", 1)[0] if "/" in instance else ""


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a nested configuration, leaves only; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_settings(runs: Iterable[Run]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs, each with its value per run (None where a run lacks it)."""
    flats = [{k: v for k, v in flatten(run.config).items() if k.split(".")[0] not in NOT_PART_OF_A_RUN} for run in runs]
    keys = sorted({key for flat in flats for key in flat})
    columns = {key: [flat.get(key) for flat in flats] for key in keys}
    return {key: values for key, values in columns.items() if len({_text(value) for value in values}) > 1}


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in RECORD_FILES)


def _load_run(folder: Path) -> Run:
    state = status(folder)
    run = Run(
        folder,
        state,
        environment=_dictionary(read_json(folder / "environment.json")),
        record=_dictionary(read_json(folder / "metrics.json")),
        failure=_dictionary(read_json(folder / "failure.json")) if state == RunStatus.FAILED else {},
    )
    try:
        config = _read_config(folder / "config.yaml", required=state == RunStatus.FINISHED)
        run = replace(run, config=config, method=str(config.get("method") or "?"))
        return _read_tables(run) if state == RunStatus.FINISHED else replace(run, cause=_why_unfinished(run))
    except (OSError, ValueError, TypeError, KeyError, ConfigError) as error:
        return replace(run, cause=f"cannot be read: {' '.join(str(error).split())}"[:500])


def _read_config(path: Path, required: bool) -> dict[str, Any]:
    if not path.exists() and not required:
        return {}
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name} is not valid YAML ({error})") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path.name}: expected a mapping of settings, found {type(config).__name__}")
    if not isinstance(config.get("seed", 0), int):
        raise ConfigError(f"{path.name}: seed must be an integer, found {config['seed']!r}")
    return config


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
        metrics = _dictionary(run.record.get("metrics"))
        results = pd.DataFrame({"instance": WHOLE, "metric": list(metrics), "value": list(metrics.values())})
    results = results.assign(
        paper=run.paper,
        experiment=run.experiment,
        method=run.method,
        seed=run.seed,
        instance=_qualified(results["instance"], run.dataset),
        metric=results["metric"].astype(str),
        value=pd.to_numeric(results["value"]).astype(float),
    )[RESULT_COLUMNS]
    path = run.folder / "traces.parquet"
    if not path.exists():
        return replace(run, results=results)
    traces = _read_parquet(path, TRACE_COLUMNS)
    return replace(run, results=results, traces=traces.assign(instance=_qualified(traces["instance"], run.dataset)))


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
    names = instances.astype(str)
    return names.where(names.str.contains("/"), f"{dataset}/" + names) if dataset else names


def _with_variants(runs: list[Run]) -> list[Run]:
    """Tell apart runs that share method, seed and data set by the settings that differ between them."""
    by_method: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if run.usable:
            by_method[run.paper, run.experiment, run.method].append(run)
    renamed: dict[Path, Run] = {}
    for group in by_method.values():
        keys = _variant_keys(group)
        names = _short_names(keys)
        seen: dict[tuple[Any, ...], int] = defaultdict(int)
        for run in group:
            flat = flatten(run.config)
            variant = {names[key]: flat.get(key) for key in keys}
            label = run.method + (f" [{', '.join(f'{k}={_text(v)}' for k, v in variant.items())}]" if variant else "")
            seen[label, run.seed, run.dataset] += 1
            if (copy := seen[label, run.seed, run.dataset]) > 1:
                label += f" #{copy}"
            renamed[run.folder] = replace(run, method=label, variant=variant, results=run.results.assign(method=label))
    return [renamed.get(run.folder, run) for run in runs]


def _variant_keys(runs: list[Run]) -> list[str]:
    rivals: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in runs:
        rivals[run.seed, run.dataset].append(run)
    return sorted({key for group in rivals.values() if len(group) > 1 for key in differing_settings(group)})


def _short_names(keys: list[str]) -> dict[str, str]:
    tails = [key.rsplit(".", 1)[-1] for key in keys]
    return {key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)}


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
