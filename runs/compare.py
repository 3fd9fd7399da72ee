"""Two sweeps side by side: ``python -m runs.compare A B`` tests what differs, per method and metric."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock
from rich.markup import escape
from rich.table import Table

from runs.claims import statistics
from runs.claims.metric import Metric
from runs.claims.metrics import PaperMetrics
from runs.claims.number_format import largest, number
from runs.errors import RepriseError
from runs.files import atomic_write
from runs.names import NOT_PART_OF_A_RUN, safe_name
from runs.record.in_common import why_no_mean
from runs.record.searches import DEPENDS_ON_THE_OTHERS, OPTIMUM, Searches, with_anytime_metrics
from runs.record.sweep_folder import Sweep, load
from runs.record.variants import flatten
from runs.report import html
from runs.report.console import Terminal
from runs.report.declared import metrics_of
from runs.text import one_line

COLUMNS = ["method", "metric", "mean_a", "mean_b", "difference", "ci_low", "ci_high", "p_value", "n", "test"]
FEW_INSTANCES = 6
"""From this many pairs on a signed-rank test can reach p < 0.05."""
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs between two sweeps.

    ``table`` has :data:`COLUMNS`: ``difference`` is B - A with its interval, ``p_value`` adjusted over all rows (Holm).
    ``metrics`` says how they are shown, ``left_out`` which have no mean, and why. ``settings`` are the configuration keys
    whose values differ, with those in A and in B.
    """

    a: Path
    b: Path
    table: pd.DataFrame
    metrics: dict[str, Metric]
    left_out: list[str]
    settings: list[tuple[str, str, str]]
    only_a: list[str]
    only_b: list[str]


def compare(a: Path | str, b: Path | str) -> Comparison:
    """Compare two sweeps or runs, anytime metrics under one common v*.

    Results are paired where instances and seeds match, else where instances match, else tested unpaired.

    Raises
    ------
    ConfigError
        A folder is absent or holds no run record.
    """
    first, second = load(a), load(b)
    joint = Searches.of(first, second)
    results = [_results(sweep, joint) for sweep in (first, second)]
    methods = [sorted(set(frame["method"])) for frame in results]
    pairs = _method_pairs(*methods)
    metrics = _metrics(first, second, results, joint)
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    for names in pairs:
        for row in _rows(results[0], results[1], *names, metrics, joint):
            if isinstance(row, str):
                left_out.append(row)
            else:
                rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_value"] = statistics.holm(table["p_value"].to_numpy(dtype=float))
    matched = [{names[i] for names in pairs} for i in (0, 1)]
    return Comparison(
        a=first.folder,
        b=second.folder,
        table=table,
        metrics=metrics,
        left_out=list(dict.fromkeys(left_out)),
        settings=_settings(first, second),
        only_a=[name for name in methods[0] if name not in matched[0]],
        only_b=[name for name in methods[1] if name not in matched[1]],
    )


def write(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write ``compare-<A>-<B>.html`` and ``.csv`` into ``folder``; return both paths."""
    stem = safe_name(f"compare-{comparison.a.resolve().name}-{comparison.b.resolve().name}")
    folder.mkdir(parents=True, exist_ok=True)
    page, csv = folder / f"{stem}.html", folder / f"{stem}.csv"
    content = html.render(
        "compare.html",
        title=f"{comparison.a.resolve().name} and {comparison.b.resolve().name}",
        contents=[],
        comparison=comparison,
        rows=[row | {"shown": comparison.metrics[row["metric"]]} for row in comparison.table.to_dict("records")],
    )
    with FileLock(folder / ".compare.lock", is_singleton=False):
        atomic_write(csv, comparison.table.to_csv(index=False).encode())
        atomic_write(page, content)
    return page, csv


def _results(sweep: Sweep, joint: Searches) -> pd.DataFrame:
    results = with_anytime_metrics(sweep.results, joint.with_entries(Searches.of(sweep).entries))
    comparable = ~results["metric"].isin((OPTIMUM, *DEPENDS_ON_THE_OTHERS))
    return results[comparable & np.isfinite(results["value"].astype(float))]


def _method_pairs(a: list[str], b: list[str]) -> list[tuple[str, str]]:
    """Methods of the same name; two sweeps of one method each are compared whatever their names."""
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    return [(name, name) for name in a if name in b]


def _metrics(a: Sweep, b: Sweep, results: list[pd.DataFrame], searches: Searches) -> dict[str, Metric]:
    """How every metric is shown; the headlines of A's experiments first."""
    declared = PaperMetrics({**metrics_of(b), **metrics_of(a)})
    measured = {(paper, name) for frame in results for paper, name in zip(frame["paper"], frame["metric"], strict=True)}
    names = {name for _, name in measured}
    ahead = [n for paper, name in a.experiments for n in declared[paper].headline(name, names, searches.main_clock)]
    shown = declared.shown(measured)
    return {name: shown[name] for name in dict.fromkeys([*ahead, *shown])}


def _rows(
    a: pd.DataFrame, b: pd.DataFrame, method_a: str, method_b: str, metrics: dict[str, Metric], joint: Searches
) -> Iterator[dict[str, Any] | str]:
    """A row per metric that both have, or why it has none."""
    a, b = a[a["method"] == method_a], b[b["method"] == method_b]
    label = method_a if method_a == method_b else f"{method_a} / {method_b}"
    both = set(a["metric"]) & set(b["metric"])
    for metric in (name for name in metrics if name in both):
        left, right = a[a["metric"] == metric], b[b["metric"] == metric]
        shown = metrics[metric]
        if shown.per_instance and (why := why_no_mean(pd.concat([left, right]), joint.senses)):
            yield f"{shown.label}: {why}"
        else:
            yield {"method": label, "metric": metric, **_test(left, right)}


def _test(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, Any]:
    """The test, and the means of what it compares: of what both have, if they share two results or more."""
    for keys in (["instance", "seed"], ["instance"]):
        left, right = a.groupby(keys)["value"].mean(), b.groupby(keys)["value"].mean()
        pairs = pd.concat([left, right], axis=1, join="inner", keys=["a", "b"])
        if len(pairs) >= 2:
            return {"mean_a": pairs["a"].mean(), "mean_b": pairs["b"].mean(), **_paired(pairs["b"] - pairs["a"])}
    return {"mean_a": a["value"].mean(), "mean_b": b["value"].mean(), **_unpaired(a, b)}


def _paired(differences: pd.Series) -> dict[str, Any]:
    """Over instances if there are enough of them to decide, else over seeds, else over what there is."""
    over_instances = differences.groupby("instance").mean()
    units, kind, over = over_instances, "wilcoxon", "instances"
    if len(over_instances) < FEW_INSTANCES:
        seeds = "seed" in differences.index.names and differences.index.get_level_values("seed").nunique() > 1
        units = differences.groupby("seed").mean() if seeds else over_instances
        kind, over = "t", "seeds" if seeds else "instances"
    test = statistics.paired_test(units.to_numpy(), kind, LEVEL)  # type: ignore[arg-type]
    effect = test.effect
    words = f"paired {kind} over {effect.n} {over}"
    return _outcome(effect.mean, effect.low, effect.high, test.p_value, effect.n, words)


def _unpaired(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, Any]:
    left, right = (frame.groupby(["instance", "seed"])["value"].mean().to_numpy() for frame in (a, b))
    p_value = statistics.rank_sum_p(left, right)
    words = f"unpaired rank sum of {len(left)} and {len(right)}"
    return _outcome(right.mean() - left.mean(), None, None, p_value, min(len(left), len(right)), words)


def _outcome(mean: float, low: float | None, high: float | None, p_value: float, n: int, test: str) -> dict[str, Any]:
    return {"difference": mean, "ci_low": low, "ci_high": high, "p_value": p_value, "n": n, "test": test}


def _settings(a: Sweep, b: Sweep) -> list[tuple[str, str, str]]:
    values = [_values(a), _values(b)]
    keys = sorted(set(values[0]) | set(values[1]))
    pairs = [(key, values[0].get(key, set()), values[1].get(key, set())) for key in keys]
    return [(key, ", ".join(sorted(x)), ", ".join(sorted(y))) for key, x, y in pairs if x != y]


def _values(sweep: Sweep) -> dict[str, set[str]]:
    """Every value that a setting takes in a sweep."""
    found: dict[str, set[str]] = {}
    for run in sweep.usable:
        for key, value in flatten(run.config).items():
            if key.split(".")[0] not in NOT_PART_OF_A_RUN:
                found.setdefault(key, set()).add(str(value))
    return found


def _print(comparison: Comparison) -> None:
    console = Terminal()
    console.print(f"A  {escape(str(comparison.a))}\nB  {escape(str(comparison.b))}", highlight=False)
    table = Table()
    for name in ("method", "metric", "A", "B", "B - A", "p (Holm)", "n"):
        table.add_column(name, justify="left" if name in ("method", "metric") else "right", overflow="fold")
    for row in comparison.table.to_dict("records"):
        metric = comparison.metrics[str(row["metric"])]
        scale = largest((row["mean_a"], row["mean_b"]))
        bounds = metric.interval(row["ci_low"], row["ci_high"], scale)
        cells = [metric.quantity(row[name], scale) for name in ("mean_a", "mean_b", "difference")]
        cells[2] = f"{cells[2]}\n{bounds}".strip()
        style = "bold" if row["p_value"] < LEVEL else ""
        texts = (row["method"], metric.label, *cells, number(row["p_value"], 2), row["n"])
        table.add_row(*(escape(str(text)) for text in texts), style=style)
    console.print(table)
    for text in comparison.left_out:
        console.print(escape(text), highlight=False)
    for name, methods in (("A", comparison.only_a), ("B", comparison.only_b)):
        if methods:
            console.print(f"only in {name}: {escape(', '.join(methods))}", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m runs.compare``: 0 when compared, 2 when a folder is wrong."""
    parser = argparse.ArgumentParser(prog="python -m runs.compare", description="Compare two sweeps or two runs.")
    parser.add_argument("a", type=Path, help="folder of a sweep or of a run")
    parser.add_argument("b", type=Path, help="the other")
    parser.add_argument("--output", type=Path, default=None, help="where the page goes (default: folder B)")
    options = parser.parse_args(arguments)
    try:
        comparison = compare(options.a, options.b)
        page, csv = write(comparison, options.output or options.b)
    except RepriseError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or options.output}: {error.strerror or error}", file=sys.stderr)
        return 2
    _print(comparison)
    print(f"table: {csv}\npage: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
