"""``experiment=ssl/evaluate`` on a run folder, by one process and by two; bad input in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from models.encoders.resnet import ResNet
from tests.e2e.conftest import ROOT, Launcher

NETWORK = {"blocks": [1], "widths": [16], "strides": [2], "stem": "small"}
SMALL = [
    "experiment=ssl/evaluate",
    "task/protocols=quick",
    "data=images/fake",
    "data.source.train_per_class=15",
    "data.source.test_per_class=7",
]

PAGE = (ROOT / "docs" / "evaluating.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([^`\n]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that left an encoder that is no recipe."""
    folder = tmp_path_factory.mktemp("a run")
    (folder / "checkpoints").mkdir()
    config = {"method": "mine", "seed": 3, "model": {"_target_": "models.encoders.resnet.ResNet", **NETWORK}}
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    torch.manual_seed(0)
    state = {f"net.{name}": value for name, value in ResNet(**NETWORK).state_dict().items()}  # type: ignore[arg-type]
    torch.save({"state_dict": state}, folder / "checkpoints" / "last.ckpt")
    return folder


@pytest.mark.slow
def test_one_process_and_two_report_the_same_numbers_under_the_runs_own_name(checkpoint: Path, tmp_path: Path) -> None:
    tables = []
    for hardware in ("cpu", "ddp_cpu"):
        launch = Launcher(tmp_path / hardware)
        cache = str(tmp_path / hardware / "cache")
        run = launch(*SMALL, f"checkpoint='{checkpoint}'", f"hardware={hardware}", REPRISE_CACHE=cache)
        assert run.returncode == 0, run.stdout + run.stderr
        (folder,) = launch.folders()
        tables.append(pd.read_parquet(folder / "results.parquet").set_index("metric"))
        assert {"spectra.png", "neighbours.png"} <= {path.name for path in (folder / "figures").iterdir()}
    one, two = tables
    assert set(one["method"]) == {"mine"} and set(one["seed"]) == {3}
    assert {"knn", "linear", "rank_me_h", "alpha_req", "spread_h"} <= set(one.index) == set(two.index)
    for metric, value in one["value"].items():
        assert two["value"][metric] == pytest.approx(value, rel=1e-4, abs=1e-6), metric


def test_a_checkpoint_that_is_not_given_is_one_line(tmp_path: Path) -> None:
    run = Launcher(tmp_path / "outputs")(*SMALL)
    assert run.returncode == 2
    assert "checkpoint is null; give checkpoint=RUN_FOLDER" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_sigterm_ends_a_long_protocol(checkpoint: Path, tmp_path: Path) -> None:
    launch, begun = Launcher(tmp_path / "outputs", fresh=True), tmp_path / "begun"
    slow = f"+task.protocols.protocols.slow={{_target_:toy_paper.slow_protocol.SlowProtocol,begun:'{begun}'}}"
    run = launch.start(*SMALL, f"checkpoint='{checkpoint}'", slow, REPRISE_CACHE=str(tmp_path / "cache"))
    deadline = time.monotonic() + 120
    while not begun.exists():
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()[0]
        time.sleep(0.1)
    run.terminate()
    assert run.wait(60) == 128 + signal.SIGTERM


@pytest.mark.slow
def test_the_commands_and_the_protocol_of_the_page_work(checkpoint: Path, tmp_path: Path) -> None:
    for name, content in FILE.findall(PAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    outputs = {"REPRISE_OUTPUTS": str(tmp_path / "outputs"), "REPRISE_CACHE": str(tmp_path / "cache")}
    for line in COMMANDS.findall(PAGE):
        line = line.replace("python launch.py", f"'{sys.executable}' '{ROOT}/launch.py'").strip()
        line = line.replace("RUN_FOLDER", f"\"'{checkpoint}'\"") + " " + " ".join(SMALL[2:])
        run = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=os.environ | outputs,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    runs = [
        set(pd.read_parquet(path / "results.parquet")["metric"]) for path in Launcher(tmp_path / "outputs").folders()
    ]
    assert len(runs) == 2 and all("knn" in metrics for metrics in runs)
    assert ["nearest_mean" in metrics for metrics in runs].count(True) == 1
