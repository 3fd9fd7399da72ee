"""The page on one's own tables works as it stands, and what a user gets wrong is told in a line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import ROOT, Launcher

PAGE = (ROOT / "docs" / "sharding.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`([^`\n]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_works_as_it_stands(tmp_path: Path) -> None:
    for name, content in FILE.findall(PAGE):
        (tmp_path / name).write_text(content)
    (tmp_path / "launch.py").symlink_to(ROOT / "launch.py")
    script = "".join(COMMANDS.findall(PAGE))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPRISE_")}
    environment |= {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    shell = ["bash", "-e", "-o", "pipefail", "-c", script]
    run = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    tables = pd.read_csv(tmp_path / "tables.csv").set_index("name")
    (folder,) = tmp_path.glob("outputs/neuroshard/shard/*-tables.csv-*")
    plan = pd.read_csv(folder / "files" / "plan.csv")
    assert plan.groupby("table")["dim"].sum().to_dict() == tables["dim"].to_dict()
    assert set(plan.loc[plan["table"] == "query", "device"]) == {0}
    assert (plan["table"] == "tag").sum() == 1
    gib = (plan["dim"] * plan["table"].map(tables["rows"]) * 4 / 2**30).groupby(plan["device"]).sum()
    assert gib.max() <= 16
    assert (folder / "figures" / "devices.png").exists()
    report = (folder / "report.html").read_text()
    assert 'href="files/plan.csv"' in report
    assert "is ready last" in report
    module = next(each for each in tmp_path.glob("outputs/neuroshard/shard/*-own-*"))
    assert set(json.loads((module / "files" / "plan.json").read_text())["plan"][""]) == {"user", "item"}
    (priced,) = tmp_path.glob("outputs/neuroshard/price-*/report.csv")
    costs = pd.read_csv(priced).query("metric == 'cost'").set_index("method")["mean"]
    searched = pd.read_parquet(folder / "results.parquet").query("metric == 'cost'")["value"].item()
    assert costs["searched.json"] == pytest.approx(searched, rel=1e-12)
    assert costs["by_hand.csv"] > costs["searched.json"]
    assert re.search(r"^\d+\.\d\d ms$", run.stdout, re.MULTILINE)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    path = tmp_path / "tables.csv"
    path.write_text("name,rows,dim,pooling_factor\nuser,20000000,128,20\nitem,9000000,64,35\n")
    return path


def test_tables_that_cannot_fit_are_refused_before_the_search(launch: Launcher, tables: Path) -> None:
    run = launch("experiment=neuroshard/shard", f"data.path={tables}", "data.devices=2", "data.memory_gib=4")
    assert run.returncode != 0
    assert "need 11.68 GiB, and the 2 devices have 8; the largest is 'user' with 9.537 GiB" in run.stderr


def test_a_table_that_was_edited_is_said_and_planned_anew(launch: Launcher, tables: Path) -> None:
    call = ("experiment=neuroshard/shard", f"data.path={tables}", "data.devices=2", "data.memory_gib=16")
    assert launch(*call).returncode == 0
    tables.write_text(tables.read_text().replace("item,9000000,64", "item,9000000,32"))
    again = launch(*call)
    assert again.returncode == 0
    assert "tables.csv" in again.stdout + again.stderr
    (plan,) = (path for path in launch.outputs.rglob("plan.csv") if "superseded" not in str(path))
    assert pd.read_csv(plan).groupby("table")["dim"].sum()["item"] == 32


def test_a_plan_for_other_tables_and_one_that_does_not_fit_are_refused(launch: Launcher, tables: Path) -> None:
    plan = tables.parent / "plan.csv"
    plan.write_text("table,dim,device\nuser,128,0\nitem,64,0\n")
    call = ("experiment=neuroshard/price", f"plan={plan}", f"data.path={tables}", "data.devices=2")
    assert (
        "device 0 would hold 11.68 GiB, and has 10" in (run := launch(*call, "data.memory_gib=10")).stdout + run.stderr
    )
    plan.write_text("table,dim,device\nuser,128,0\nitems,64,0\n")
    assert "'items', which is not here; did you mean 'item'" in (run := launch(*call)).stdout + run.stderr
