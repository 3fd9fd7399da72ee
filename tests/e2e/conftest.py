"""Runs ``launch.py`` as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import warm_launcher

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

Run = subprocess.CompletedProcess[str]
Process = subprocess.Popen[str] | warm_launcher.Fork


@dataclass(frozen=True)
class Launcher:
    """Calls the launcher with outputs in ``outputs`` and the toy paper of the tests beside the real ones.

    ``fresh``: in a new Python, as a user does; else in a fork of one that has imported everything, ten times as fast.
    """

    outputs: Path
    fresh: bool = False

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "launch.py"), *self._own(arguments)]

    def _own(self, arguments: tuple[str, ...]) -> list[str]:
        return ["--config-dir", str(HERE / "conf"), *arguments]

    def environment(self, **extra: str) -> dict[str, str]:
        return os.environ | {
            "REPRISE_OUTPUTS": str(self.outputs),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
            "COLUMNS": "200",
            **extra,
        }

    def __call__(self, *arguments: str, timeout: float = 250, **extra: str) -> Run:
        """Launch and wait for the end."""
        process = self.start(*arguments, errors=subprocess.PIPE, **extra)
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return Run(arguments, process.returncode, output, errors)

    def start(self, *arguments: str, errors: int = subprocess.STDOUT, **extra: str) -> Process:
        """Launch as the leader of a session; errors are printed among the output unless they have a pipe."""
        environment = self.environment(**extra)
        if not self.fresh:
            return warm_launcher.start(self._own(arguments), environment, merged=errors == subprocess.STDOUT)
        return subprocess.Popen(
            self.command(*arguments),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )

    def folders(self) -> list[Path]:
        """Every run folder there is."""
        return sorted(path.parent for path in self.outputs.rglob("environment.json"))

    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics of the finished runs by folder name."""
        return {
            path.parent.name: json.loads(path.read_text())["metrics"] for path in self.outputs.rglob("metrics.json")
        }


@pytest.fixture
def launch_fresh(tmp_path: Path) -> Launcher:
    """For tests of imports, of start-up, and of processes and signals."""
    return Launcher(tmp_path / "outputs with a space", fresh=True)


@pytest.fixture
def launch(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path / "outputs with a space")
