"""What the pages show works: their files are written as they stand, their commands are run or composed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from runs.launch import command
from tests.e2e.conftest import ROOT

DOCS = ROOT / "docs"
ADDING = (DOCS / "adding.md").read_text(encoding="utf-8")
PARTS = ("conf", "data", "models", "solvers", "tasks", "runs")
FILE = re.compile(r"^`([^`\n]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository with every file of the page in its place."""
    folder = tmp_path / "checkout"
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "launch.py", folder)
    for name, content in FILE.findall(ADDING):
        path = folder / name
        assert not path.exists(), f"{name} would replace a file of the repository"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def run_commands(checkout: Path, *sections: str) -> str:
    """Run the commands of sections of the page in order, as a user would; returns what they print."""
    script = "".join(block for title in sections for block in COMMANDS.findall(section(title)))
    assert script
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPRISE_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
    shell = ["bash", "-e", "-o", "pipefail", "-c", script]
    run = subprocess.run(shell, cwd=checkout, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def section(title: str) -> str:
    """The text below the heading that begins with ``title``."""
    (found,) = (part for part in ADDING.split("\n## ") if part.startswith(title))
    return found


def test_the_method_of_the_page_stands_beside_random_in_a_report(checkout: Path) -> None:
    run_commands(checkout, "A method")
    (report,) = checkout.glob("outputs/lb_relax/one-*/report.html")
    assert "active" in report.read_text()
    table = pd.read_csv(report.parent / "report.csv")
    assert set(table.loc[table["metric"] == "primal_bound", "method"]) == {"random", "active"}


def test_the_paper_of_the_page_is_trained_swept_and_judged_and_an_own_folder_builds_on_it(checkout: Path) -> None:
    printed = run_commands(checkout, "A paper", "A search", "Your own folder")
    (folder,) = (path.parent for path in checkout.glob("outputs/ripples/activation_small-*/report.csv"))
    results = pd.read_parquet(folder / "results.parquet")
    assert len(results[results["metric"] == "error"]) == 6
    table = pd.read_csv(folder / "report.csv").set_index(["method", "metric"])
    assert table.loc[("sine", "error"), "published"] == 0.002
    verdicts = pd.read_csv(folder / "claims.csv").set_index("claim")["status"]
    assert verdicts["sine_beats_relu"] in ("reproduced", "contradicted", "inconclusive")
    assert re.search(r"not run +ripples: At the paper's size", printed)
    (searched,) = checkout.glob("outputs/ripples/basins_small-*/report.csv")
    assert pd.read_csv(searched.parent / "claims.csv").set_index("claim")["status"]["leaps_come_closer"] == "reproduced"
    metrics = set(pd.read_parquet(searched.parent / "results.parquet")["metric"])
    assert {"height", "distance", "feasible", "seconds", "evaluations", "primal_gap"} <= metrics
    (own,) = checkout.glob("outputs/waves/wide-*/report.csv")
    assert {"sine", "waves"} <= set(pd.read_csv(own)["method"])


def pages() -> list[Path]:
    """README.md and everything under docs."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def launches() -> list[str]:
    """Every line of the pages that calls the launcher, without what the page says about it, and every quoted experiment
    with settings. Of a bare experiment ``tests/docs/test_paper_pages.py`` knows that it is there."""
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    lines = [re.sub(r"^\.venv/bin/|\s{3,}.*$", "", line) for line in lines]
    quoted = [command for text in texts for command in re.findall(r"`((?:-m )?experiment=[^`\n<]+)`", text)]
    settings = (command for command in quoted if re.search(r"(?<!-m) (?!hydra/launcher=)", command))
    found = [line for line in lines if line.startswith("python launch.py ")]
    found += [command for text in texts for command in re.findall(r"`(python launch\.py [^`\n<]+)`", text)]
    shown = dict.fromkeys([*found, *(f"python launch.py {command}" for command in settings)])
    return [line for line in shown if not re.search(r"\.\.\.|ripples/|lns/active", line)]


SETTINGS_OF = {
    "recipes.md": "experiment=ssl/small model=ssl/simclr",
    "evaluating.md": "experiment=ssl/evaluate checkpoint=run data=images/fake",
}
"""Pages whose quoted settings are added to a command of theirs."""


def quoted_settings() -> list[str]:
    """Launches with each setting that these pages quote in their prose."""
    quoted = {
        base: re.findall(
            r"`((?!experiment|[^`]*\.\.\.)[+~]?[\w./@]+=[^`\s.<]+[^`\s]*)`", (DOCS / page).read_text(encoding="utf-8")
        )
        for page, base in SETTINGS_OF.items()
    }
    assert all(quoted.values())
    return [
        f"python launch.py {base} {setting}" for base, settings in quoted.items() for setting in dict.fromkeys(settings)
    ]


@pytest.mark.parametrize("line", [*launches(), *quoted_settings()])
def test_every_launch_on_the_pages_composes(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    for arguments in jobs(shlex.split(line, comments=True)[2:]):
        alone = {"--help", "--where"} & set(arguments)
        shown = arguments if alone else [*arguments, "--cfg", "job", "--resolve"]
        assert command.main(lambda cfg: None, shown) == 0, capsys.readouterr().err


def jobs(arguments: list[str]) -> list[list[str]]:
    """Arguments of single jobs in which each value of each sweep occurs; of an interval, its start."""
    choices = [values(text) if "=" in text and text[0] != "-" else [text] for text in arguments]
    return [[one[job % len(one)] for one in choices] for job in range(max(len(one) for one in choices))]


def values(text: str) -> list[str]:
    """The override, or one for each value that it sweeps; of a range, its ends."""
    override = OverridesParser.create().parse_override(text)
    if not override.is_sweep_override():
        return [text]
    if override.is_interval_sweep():
        return [f"{override.get_key_element()}={override.value().start}"]
    swept = list(override.sweep_string_iterator())
    shown = [swept[0], swept[-1]] if override.is_range_sweep() else swept
    return [f"{override.get_key_element()}={value}" for value in shown]


def test_every_link_of_the_pages_leads_to_a_file() -> None:
    links = [
        (page, link) for page in pages() for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    missing = [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
