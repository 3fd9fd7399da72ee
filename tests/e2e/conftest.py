"""Runs ``launch.py`` as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

Run = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Launcher:
    """Calls the launcher with outputs in ``outputs`` and the toy paper of the tests beside the real ones."""

    outputs: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "launch.py"), "--config-dir", str(HERE / "conf"), *arguments]

    def environment(self, **extra: str) -> dict[str, str]:
        return os.environ | {
            "REPRISE_OUTPUTS": str(self.outputs),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
            "COLUMNS": "200",
            **extra,
        }

    def __call__(self, *arguments: str, timeout: float = 250, **extra: str) -> Run:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
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
def launch(tmp_path: Path) -> Callable[..., Run]:
    return Launcher(tmp_path / "outputs with a space")
