"""Starting up: what ``launch.py`` costs before any work, as a ratio to an empty Hydra application."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Case
from runs.environment import ROOT

REPEATS = {"toy": 1, "small": 7, "paper": 7}
EMPTY = "empty Hydra application"
_APPLICATION = """import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    pass


main()
"""


def cases(size: str) -> Iterator[Case]:
    """One case; the size does not matter."""
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
