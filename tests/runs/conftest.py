"""Synthetic sweep folders, in the format that runs leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from runs.anytime import Trace


class SweepWriter:
    """Writes run folders below ``folder`` as a launcher would leave them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        method: str = "random",
        seed: int = 0,
        *,
        name: str | None = None,
        paper: str = "lb_relax",
        experiment: str = "table_small",
        dataset: str = "ca_small",
        metrics: dict[str, dict[str, float]] | None = None,
        traces: dict[str, Trace] | None = None,
        config: dict[str, Any] | None = None,
        budget: dict[str, Any] | None = None,
        status: str = "finished",
    ) -> Path:
        """One run. ``metrics`` maps instance to metric to value, ``traces`` instance to trace."""
        folder = self.folder / (name or f"{method}-seed{seed}-{dataset}")
        folder.mkdir(parents=True)
        settings = {"paper": paper, "experiment": experiment, "method": method, "seed": seed, "data": {"name": dataset}}
        settings |= {"task": {"budget": budget or {"seconds": None, "evaluations": None}}} | (config or {})
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        overrides = [f"experiment={paper}/{experiment}", f"solver={method}", f"seed={seed}"]
        about = {"command": ["launch.py", "-m"], "overrides": overrides, "revision": "abc123", "python": "3.11.4"}
        about |= {
            "packages": {"numpy": "2.4.6"},
            "hardware": {"cores": 2, "gpus": []},
            "started": "2026-01-02T03:04:05",
        }
        (folder / "environment.json").write_text(json.dumps(about))
        if status == "failed":
            failure = {
                "type": "ValueError",
                "message": "broken <b>",
                "traceback": "Traceback ...",
                "overrides": overrides,
            }
            (folder / "failure.json").write_text(json.dumps(failure))
        if status != "finished":
            return folder
        self._tables(folder, settings, metrics or {}, traces or {})
        whole = {"metrics": {}, "wall_seconds": 12.5, "peak_memory_gib": 0.75}
        (folder / "metrics.json").write_text(json.dumps(whole))
        return folder

    def searches(
        self,
        methods: dict[str, float],
        seeds: int = 3,
        instances: int = 6,
        datasets: tuple[str, ...] = ("ca_small",),
        maximize: bool = False,
    ) -> Path:
        """A sweep of searches; ``methods`` maps name to how far above the optimum it ends, roughly, in percent."""
        for method, percent in methods.items():
            for dataset in datasets:
                for seed in range(seeds):
                    traces = {}
                    for i in range(instances):
                        rng = np.random.default_rng([len(method), sum(map(ord, method)), seed, i])
                        traces[f"{dataset}/{dataset}-{i:04d}"] = falling_trace(rng, 100 + 10 * i, percent, maximize)
                    final = {k: {"primal_bound": t.objective[-1], "feasible": 1.0} for k, t in traces.items()}
                    self.run(method, seed, dataset=dataset, metrics=final, traces=traces)
        return self.folder

    def _tables(
        self, folder: Path, settings: dict, metrics: dict[str, dict[str, float]], traces: dict[str, Trace]
    ) -> None:
        shared = {key: settings[key] for key in ("paper", "experiment", "method", "seed")}
        rows = [
            {**shared, "instance": instance, "metric": metric, "value": value}
            for instance, values in metrics.items()
            for metric, value in values.items()
        ]
        columns = ["paper", "experiment", "method", "instance", "seed", "metric", "value"]
        pd.DataFrame(rows, columns=columns).to_parquet(folder / "results.parquet", index=False)
        frames = [
            pd.DataFrame({**trace.to_arrays(), "maximize": trace.maximize}).assign(**shared, instance=instance)
            for instance, trace in traces.items()
        ]
        if frames:
            pd.concat(frames, ignore_index=True).to_parquet(folder / "traces.parquet", index=False)


def falling_trace(rng: np.random.Generator, optimum: float, percent: float, maximize: bool = False) -> Trace:
    """A search of 40 evaluations that nears ``optimum`` and ends about ``percent`` away from it."""
    trace = Trace(maximize=maximize)
    excess, seconds, sign = 0.3, 0.1, -1 if maximize else 1
    target = percent / 100 * rng.uniform(0.6, 1.4)
    for evaluation in range(41):
        trace.record(seconds, evaluation, optimum * (1 + sign * excess))
        seconds += rng.uniform(0.02, 0.2)
        excess = max(target, excess * rng.uniform(0.75, 1.0))
    return trace


@pytest.fixture(scope="session")
def sweep_writer() -> type[SweepWriter]:
    """For fixtures that outlive a test."""
    return SweepWriter


@pytest.fixture
def sweep(tmp_path: Path) -> SweepWriter:
    return SweepWriter(tmp_path / "table_small-0123456789")


@pytest.fixture
def conf(tmp_path: Path) -> Callable[..., Path]:
    """Writes what a paper declares and returns the configuration folder; the metrics are those of a search."""

    def write(
        claims: Any = None, published: Any = None, paper: str = "lb_relax", metrics: Any = "extends: search"
    ) -> Path:
        folder = tmp_path / "conf" / "experiment" / paper
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (("claims", claims), ("published", published), ("metrics", metrics)):
            if content is not None:
                (folder / f"{name}.yaml").write_text(
                    content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
                )
        return tmp_path / "conf"

    return write
