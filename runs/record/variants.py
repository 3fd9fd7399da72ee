"""Names for runs of one method that differ in their settings."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from runs.names import NOT_PART_OF_A_RUN
from runs.record.run_folder import Run


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
    return {key: values for key, values in columns.items() if len({_as_text(value) for value in values}) > 1}


def with_variants(runs: list[Run]) -> list[Run]:
    """Tell apart runs whose rows share method, seed and data set by the settings that differ between the runs."""
    by_method: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        for method in _methods(run) if run.usable else ():
            by_method[run.paper, run.experiment, method].append(run)
    renamed = {run.folder: run for run in runs}
    for (_, _, method), group in by_method.items():
        keys = _variant_keys(method, group)
        names = _short_names(keys)
        copies: dict[tuple[Any, ...], int] = defaultdict(int)
        for run in group:
            flat = flatten(run.config)
            variant = {names[key]: flat.get(key) for key in keys}
            suffix = f" [{', '.join(f'{k}={_as_text(v)}' for k, v in variant.items())}]" if variant else ""
            identities = [(suffix, seed, run.dataset) for seed in _seeds(run, method)]
            copy = 1 + max(copies[identity] for identity in identities)
            copies |= dict.fromkeys(identities, copy)
            number = f" #{copy}" if copy > 1 else ""
            renamed[run.folder] = _with_label(renamed[run.folder], method, suffix, number, variant)
    return list(renamed.values())


def _methods(run: Run) -> list[str]:
    return sorted(set(run.results["method"])) or [run.method]


def _seeds(run: Run, method: str) -> list[int]:
    return sorted(set(run.results.loc[run.results["method"] == method, "seed"])) or [run.seed]


def _with_label(run: Run, method: str, suffix: str, number: str, variant: dict[str, Any]) -> Run:
    label = method + suffix + number
    return replace(
        run,
        method=label if run.method == method else run.method,
        methods=run.methods | {label: method + number},
        variant=run.variant | variant,
        results=_relabelled(run.results, method, label),
        traces=None if run.traces is None else _relabelled(run.traces, method, label),
    )


def _relabelled(table: pd.DataFrame, method: str, label: str) -> pd.DataFrame:
    return table if label == method else table.assign(method=table["method"].where(table["method"] != method, label))


def _variant_keys(method: str, runs: list[Run]) -> list[str]:
    rivals: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in runs:
        for seed in _seeds(run, method):
            rivals[seed, run.dataset].append(run)
    return sorted({key for group in rivals.values() if len(group) > 1 for key in differing_settings(group)})


def _short_names(keys: list[str]) -> dict[str, str]:
    tails = [key.rsplit(".", 1)[-1] for key in keys]
    return {key: tail if tails.count(tail) == 1 else key for key, tail in zip(keys, tails, strict=True)}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
