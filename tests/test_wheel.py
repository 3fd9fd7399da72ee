"""What a wheel brings works anywhere: no working copy, no network, and other projects' names on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import reprise

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "conf",
    "data",
    "models",
    "solvers",
    "tasks",
    "runs",
    "launch.py",
    "reprise.py",
    "setup.py",
    "pyproject.toml",
)
SOURCES += ("MANIFEST.in", "README.md", "LICENSE")
TINY = ["experiment=lb_relax/one", "data=ilp/ca_demo", "data.generator.items=12", "data.generator.bids=20",
        "data.neighborhood_size=5", "solver=lns/random", "task.budget={seconds:null,evaluations:2}"]  # fmt: skip


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, sources / name)
    pip("wheel", sources, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    (found,) = folder.glob("reprise-*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip("install", wheel, "--no-deps", "--no-index", "--target", folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another project, which has packages of the same names."""
    for name in ("models", "data", "runs"):
        (tmp_path / "project" / name).mkdir(parents=True)
        (tmp_path / "project" / name / "__init__.py").write_text("raise RuntimeError('another project')")
    return tmp_path / "project"


def run(site: Path, folder: Path, *arguments: str, first: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as it was installed, in ``folder``."""
    path = os.pathsep.join(str(place) for place in (first, site) if place)
    environment = os.environ | {"PYTHONPATH": path, "REPRISE_OUTPUTS": "outputs", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(site / "bin" / "reprise"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_has_every_file_of_the_configuration_and_nothing_beside_the_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    assert {name.removeprefix("runs/") for name in names if name.startswith("runs/conf/")} == expected
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {"data", "models", "solvers", "tasks", "runs", "launch.py", "reprise.py"}
    assert {path.name for path in (ROOT / "runs" / "report" / "templates").iterdir()} <= {
        name.rsplit("/", 1)[1] for name in names if "templates/" in name
    }


def test_help_and_configuration_need_no_working_copy(site: Path, tmp_path: Path) -> None:
    told = run(site, tmp_path, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert "lb_relax" in told.stdout
    shown = run(site, tmp_path, "experiment=lb_relax/one", "--cfg", "job")
    assert shown.returncode == 0, shown.stderr
    assert "experiment:" in shown.stdout


def test_an_experiment_runs_and_is_reported_in_a_folder_of_ones_own_whatever_else_is_on_the_path(
    site: Path, elsewhere: Path
) -> None:
    done = run(site, elsewhere, *TINY, first=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (path.parent for path in elsewhere.rglob("metrics.json"))
    assert folder.is_relative_to(elsewhere / "outputs")
    assert len(pd.read_parquet(folder / "results.parquet"))
    page = (folder / "report.html").read_text()
    assert "reprise experiment=lb_relax/one" in page
    assert "python launch.py" not in page
    assert '"revision": "version 0.1.0"' in (folder / "environment.json").read_text()


def test_a_package_that_cannot_be_put_behind_is_named_in_one_line(site: Path, elsewhere: Path) -> None:
    (elsewhere / "models" / "__init__.py").write_text("")
    (elsewhere / "sitecustomize.py").write_text("import models")
    told = run(site, elsewhere, "--help", first=elsewhere)
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"error: 'models' is {elsewhere / 'models' / '__init__.py'} and not Reprise's own in {site}")


def test_a_working_copy_needs_no_other_path() -> None:
    before = list(sys.path)
    assert reprise.own_first() == ""
    assert sys.path == before
