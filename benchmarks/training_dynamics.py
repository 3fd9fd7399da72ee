"""Fig. 6 of Scan and Snap whole, as a ratio to one process per run with a generator that draws sample by sample.

The peer's runs are timed one per number of query tokens and round and multiplied by the 160 runs (16 cells, 10 seeds) that
each stands for: a run's time does not depend on its learning rates or seed. Both sides work in one process at a time.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from runs.environment import ROOT

REPEATS = {"toy": 1, "small": 2, "paper": 3}
EXPERIMENT = {"toy": "figure_6_small", "small": "figure_6_small", "paper": "figure_6"}
QUERIES = {"toy": (1,), "small": (5, 1), "paper": (10, 5, 3, 1)}
STEPS = {"toy": 5, "small": 100, "paper": 100}
RUNS = 160
PEER, OURS = "one process per run", "launch.py, all runs in one process"


def cases(size: str) -> Iterator[Case]:
    """One case: all runs of the figure."""
    queries, steps = QUERIES[size], STEPS[size]
    targets = [Target(OURS, "all runs", unit, 0.01) for unit in (WALL, CPU)]
    contenders = {
        PEER: lambda probe: _peer(probe, queries, steps),
        OURS: lambda probe: _ours(probe, EXPERIMENT[size], queries, steps),
    }
    title = f"{RUNS * len(queries)} runs of {steps} steps, {'/'.join(map(str, queries))} query tokens"
    yield Case(title, contenders, PEER, targets, warm_up=False)


def _peer(probe: Probe, queries: Sequence[int], steps: int) -> None:
    timed, trained = Probe(), 0.0
    for num_last in queries:
        command = [sys.executable, "-m", "benchmarks.single_training", str(num_last), str(steps), str(probe.round)]
        with timed.during("all runs"):
            printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600).stdout
        trained += float(printed)
    for (quantity, unit), seconds in timed.amounts.items():
        probe.value(quantity, RUNS * seconds, unit)
    probe.value("without start-up", RUNS * trained, CPU)


def _ours(probe: Probe, experiment: str, queries: Sequence[int], steps: int) -> None:
    with TemporaryDirectory() as folder, probe.during("all runs"):
        command = [sys.executable, str(ROOT / "launch.py"), "-m", f"experiment=scan_snap/{experiment}"]
        command += ["hydra/launcher=basic", f"paths.outputs={folder}", f"data.steps={steps}"]
        command += [f"data.distribution.num_last={','.join(map(str, queries))}"]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
