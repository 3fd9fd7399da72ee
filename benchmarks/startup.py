"""Starting up: what ``launch.py`` costs before any work, and how long the first of many jobs takes to begin and to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Case
from benchmarks.measure import WALL, Probe
from runs.environment import ROOT

REPEATS = {"toy": 1, "small": 7, "paper": 7}
EMPTY = "empty Hydra application"
_APPLICATION = """import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    pass


main()
"""


JOBS = {"toy": 3, "small": 1000, "paper": 1000}
RUN = "one run"
_POLL_SECONDS = 0.01


def cases(size: str) -> Iterator[Case]:
    """Commands that end at once; then runs and sweeps until their first result."""
    yield from _commands()
    sweep = ["-m", f"seed=range(0,{JOBS[size]})"]
    contenders = {
        RUN: partial(_to_the_first_result, ["seed=0"]),
        **{
            f"a sweep of {JOBS[size]:,} runs, {launcher}": partial(
                _to_the_first_result, [*sweep, f"hydra/launcher={launcher}"]
            )
            for launcher in ("basic", "joblib")
        },
    }
    yield Case("first result", contenders, RUN)


def _commands() -> Iterator[Case]:
    with TemporaryDirectory() as folder:
        application = Path(folder) / "empty.py"
        application.write_text(_APPLICATION)
        launch = [sys.executable, str(ROOT / "launch.py")]
        run = [*launch, "task=ilp/search", "data=ilp/mis_demo", "data.count=1", "solver=lns/random", "lns/start=greedy"]
        run += ["task.budget.seconds=1", f"paths.outputs={folder}"]
        subprocess.run(run, check=True, capture_output=True, timeout=300)
        contenders = {
            EMPTY: [sys.executable, str(application), "hydra.output_subdir=null", f"hydra.run.dir={folder}/empty"],
            "launch.py --help": [*launch, "--help"],
            "launch.py --cfg job --resolve": [*run, "--cfg", "job", "--resolve"],
            "a finished run again": run,
        }
        yield Case("start-up", contenders, EMPTY)


def _to_the_first_result(arguments: list[str], probe: Probe) -> None:
    """Launch searches of one iteration, note when the first begins and when it ends, and stop."""
    with TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(ROOT / "launch.py"),
            "experiment=lb_relax/one",
            "data=ilp/mis_demo",
            "data.count=1",
        ]
        command += ["task.budget={seconds:null,evaluations:1}", f"paths.outputs={folder}", *arguments]
        began = time.perf_counter()
        launched = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for what, name in (("first run begins", "environment.json"), ("first result", "metrics.json")):
            while not any(Path(folder).glob(f"*/*/{name}")) and not any(Path(folder).glob(f"*/*/*/{name}")):
                if launched.poll() not in (None, 0):
                    raise subprocess.CalledProcessError(launched.returncode, command)
                time.sleep(_POLL_SECONDS)
            probe.value(what, time.perf_counter() - began, WALL)
        launched.send_signal(signal.SIGINT)
        launched.wait()
