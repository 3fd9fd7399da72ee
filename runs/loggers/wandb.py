"""``logger=wandb``: Weights & Biases, offline by itself without a key or a network.

The key comes from the environment (``WANDB_API_KEY``) or from what ``wandb login`` stored; ``WANDB_MODE`` and
``WANDB_BASE_URL`` are heeded. An offline copy is uploaded later by ``wandb sync FOLDER``.
"""

from __future__ import annotations

import os
import shlex
import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.errors import require
from runs.loggers.dashboard import Dashboard
from runs.loggers.local import RunInfo

if TYPE_CHECKING:
    import pandas as pd

_PROBE_SECONDS = 5.0
_INIT_SECONDS = 9.0  # wandb waits twice for it
_STEP = "step"


@dataclass
class WandbDashboard(Dashboard):
    """A W&B run.

    Parameters
    ----------
    project
        The W&B project.
    entity
        The user or team; None for the account's default.
    """

    project: str = "reprise"
    entity: str | None = None
    _run: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        require("wandb", "tracking")

    def open(self, run: RunInfo) -> str | None:
        mode = os.environ.get("WANDB_MODE", "online")
        reason = _why_unreachable() if mode == "online" else None
        if mode == "online" and reason is None:
            try:
                self._run = self._init(run, "online")
            except Exception as error:
                first_line = str(error).partition("\n")[0]
                reason = f"the server did not take the run ({type(error).__name__}: {first_line})"
        if self._run is None:
            self._run = self._init(run, "offline" if reason else mode)
        self._run.define_metric("*", step_metric=_STEP)
        return f"W&B is offline: {reason}. {self.rescue()}" if reason else None

    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        if step is None:
            self._run.summary.update(dict(values))
        else:
            self._run.log({**values, _STEP: step})

    def table(self, name: str, frame: pd.DataFrame) -> None:
        import wandb

        self._run.log({f"tables/{name}": wandb.Table(dataframe=frame)})

    def curves(self, name: str, frame: pd.DataFrame, x: str, y: str, series: str | None) -> None:
        import wandb

        table = wandb.Table(dataframe=frame)
        line = wandb.plot.line(table, x=x, y=y, stroke=series, title=name)
        self._run.log({f"curves/{name}": line, f"tables/curves/{name}": table})

    def figure(self, name: str, path: Path) -> None:
        import wandb

        self._run.log({f"figures/{name}": wandb.Image(str(path))})

    def close(self, success: bool) -> None:
        if self._run is not None:
            self._run.finish(exit_code=0 if success else 1)

    def rescue(self) -> str | None:
        if self._run is None or self._run.disabled:
            return None
        return f"Upload it later: wandb sync {shlex.quote(str(Path(self._run.dir).parent))}"

    def _init(self, run: RunInfo, mode: Any) -> Any:
        import wandb

        return wandb.init(
            project=self.project,
            entity=self.entity,
            group=run.group,
            name=run.name,
            dir=os.environ.get("WANDB_DIR", str(run.folder)),
            config={**run.config, "revision": run.revision},
            mode=mode,
            settings=wandb.Settings(init_timeout=_INIT_SECONDS, console="off", program="launch.py"),
        )


def _why_unreachable() -> str | None:
    """Why the server is out of reach, found without wandb's long retries; None if it answers or a proxy is set."""
    import wandb

    settings = wandb.setup().settings
    server = urllib.parse.urlsplit(settings.base_url)
    if urllib.request.getproxies().get(server.scheme):
        return None
    port = server.port or (443 if server.scheme == "https" else 80)
    try:
        socket.create_connection((server.hostname or "", port), timeout=_PROBE_SECONDS).close()
    except OSError as error:
        return f"{server.hostname}:{port} cannot be reached ({error.strerror or error})"
    return None
