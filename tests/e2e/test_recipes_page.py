"""The page on recipes works: its files are written as they stand, its commands are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import ROOT

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([^`\n]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BRIEF = (
    " data.source.train_per_class=8 data.source.test_per_class=2 data.batch_size=32 data.size=16 task/protocols=none"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILE.findall(PAGE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def run(folder: Path, line: str) -> str:
    line = line.replace("python launch.py", f"'{sys.executable}' '{ROOT}/launch.py'")
    line = line.replace("python mine", f"'{sys.executable}' mine").replace("mine:.", f"mine:'{ROOT}'")
    environment = os.environ | {"REPRISE_OUTPUTS": str(folder / "outputs"), "REPRISE_CACHE": str(folder / "cache")}
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_recipe_of_the_page_is_trained_beside_simclr_and_its_loss_conforms(folder: Path) -> None:
    training, check = (block.strip() for block in COMMANDS.findall(PAGE))
    run(folder, training + BRIEF)
    (report,) = folder.glob("outputs/ssl/small-*/report.csv")
    table = pd.read_csv(report)
    assert set(table.loc[table["metric"] == "training_loss", "method"]) == {"simclr", "align_uniform"}
    assert "the same on two processes" in run(folder, check)
