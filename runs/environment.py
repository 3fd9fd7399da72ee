"""What a result depended on besides its configuration: revision, versions, machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = (ROOT / "runs" / "conf").is_dir()
"""True where Reprise runs from a wheel, which has the configuration inside ``runs``."""
CONF = ROOT / "runs" / "conf" if INSTALLED else ROOT / "conf"
COMMAND = ("reprise",) if INSTALLED else ("python", "launch.py")
"""How the launcher is called from here."""
OWN_CONFIGURATION = "command-line"
"""Hydra's name for where ``--config-dir`` came from."""


def revision() -> str:
    """The git commit of the working copy, with ``+changes`` if files differ from it; else the version that is installed."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    if not (ROOT / ".git").exists():  # a repository around an installation is somebody else's
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"version {importlib.metadata.version('reprise')}"
        return "unknown"
    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


@functools.cache
def code() -> str:
    """Hash of the project's own code, which git knows only once it is committed."""
    digest = hashlib.sha256()
    for room in ("data", "models", "runs", "solvers", "tasks"):
        for path in sorted((ROOT / room).rglob("*.py")):
            digest.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return digest.hexdigest()[:20]


def config_dir() -> str | None:
    """The folder of the user's own configuration, ``--config-dir``, of the Hydra job that is running or composed now."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return None
    sources = HydraConfig.get().runtime.config_sources
    return next((source.path for source in sources if source.provider == OWN_CONFIGURATION), None)


def describe(command: list[str], overrides: list[str]) -> dict[str, Any]:
    """Everything about here and now that belongs into a run record. No environment variable is included."""
    return {
        "command": command,
        "overrides": overrides,
        "revision": revision(),
        "code": code(),
        "python": sys.version.split()[0],
        "packages": packages(),
        "hardware": hardware(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


@functools.cache
def packages() -> dict[str, str]:
    """Installed distributions and their versions."""
    read = (distribution.metadata for distribution in importlib.metadata.distributions())  # each time a file is parsed
    found = {about["Name"]: about["Version"] for about in read if about["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def hardware() -> dict[str, Any]:
    """Processor, cores, memory; GPUs if torch is loaded and sees any."""
    found: dict[str, Any] = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_available": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": [],
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def peak_memory_gib() -> float:
    """Largest resident size so far of this process or of any finished child, in GiB."""
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return usage * (1 if sys.platform == "darwin" else 1024) / 2**30


def rank(hardware: Mapping[str, Any] | None) -> int:
    """Which of the processes of one run this is; 0 if it is a run of its own, whatever a scheduler has numbered.

    Parameters
    ----------
    hardware
        The configuration's; ranks are processes of a run on several devices or nodes that were not forked by the run.
    """
    if not is_distributed(hardware):
        return 0
    names = ["LOCAL_RANK", "NODE_RANK", *(["SLURM_PROCID"] if slurm_starts_ranks(hardware) else [])]
    return max(int(os.environ.get(name) or 0) for name in names)


def is_distributed(hardware: Mapping[str, Any] | None) -> bool:
    """Whether each device of a run has a process that is not forked from the first."""
    if not hardware or hardware.get("strategy") in ("ddp_fork", "auto", None):
        return False
    return hardware.get("devices") not in (1, "1") or hardware.get("num_nodes") not in (1, None)


def slurm_starts_ranks(hardware: Mapping[str, Any] | None) -> bool:
    """Whether SLURM's tasks are the ranks of a run: as many as it has devices, where their number is known."""
    tasks = os.environ.get("SLURM_NTASKS", "")
    if not is_distributed(hardware) or not tasks.isdecimal() or int(tasks) < 2:
        return False
    assert hardware is not None
    devices, nodes = hardware.get("devices"), hardware.get("num_nodes") or 1
    return not isinstance(devices, int) or devices < 1 or devices * nodes == int(tasks)


def limit_threads(threads: int | None) -> None:
    """Cap the math libraries' threads; effective only before numpy or torch are imported. A user's own setting wins."""
    if threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, str(threads))
