"""Live progress of a sweep, read from its run records: works the same for every launcher."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from runs.files import read_record
from runs.text import one_line

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

ENDS = ("metrics.json", "failure.json")
BEGIN = "environment.json"


class Display:
    """A live bar with the running jobs on a terminal; elsewhere one line for each job that ends.

    Parameters
    ----------
    folder
        The sweep's folder.
    total
        Number of jobs, or None where the sweeper decides as it goes.
    before
        Runs that are finished and stay as they are. Whatever else lies in the folder is of no job, or is done again.
    """

    def __init__(self, folder: Path, total: int | None, before: Iterable[Path] = ()) -> None:
        self.folder = folder
        self.total = total
        self._began = time.time()
        self._found = {path: _written(path) for name in (*ENDS, BEGIN) for path in folder.glob(f"*/{name}")}
        self._before = {run / "metrics.json" for run in before}
        self._ended = set(self._before)
        self._last = 0.0
        self._live = None
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(auto_refresh=False, transient=True)

    def __enter__(self) -> Display:
        print(
            f"sweep of {self.total if self.total is not None else 'a sweeper-chosen number of'} jobs in {self.folder}",
            end="",
        )
        done = len(self._before)
        print(f"; {done} finished before" if done else "", flush=True)
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def update(self, at_once: bool = False) -> None:
        """Look at the records, at most twice a second unless ``at_once``, and show what changed."""
        if not at_once and time.monotonic() - self._last < 0.5:
            return
        self._last = time.monotonic()
        ended = self._before.union(*map(self._fresh, ENDS))
        if self._live:
            self._live.update(self._render(ended), refresh=True)
        else:
            for count, path in enumerate(sorted(ended - self._ended, key=_written), start=len(self._ended) + 1):
                self._say(path, count)
        self._ended = ended

    def _fresh(self, name: str) -> list[Path]:
        """Files of this launch, not those an earlier launch left behind."""
        return [path for path in self.folder.glob(f"*/{name}") if _written(path) != self._found.get(path)]

    def _say(self, path: Path, count: int) -> None:
        run = path.parent.name.rsplit("-", 1)[0]
        content = read_record(path)
        if path.name == "metrics.json":
            outcome = f"finished in {content.get('wall_seconds', 0):.1f} s"
        else:
            outcome = f"FAILED: {content.get('type')}: {one_line(str(content.get('message')))[:150]}"
        print(one_line(f"[{count}/{self.total or '?'}] {run} {outcome}"), flush=True)

    def _render(self, ended: set[Path]) -> ConsoleRenderable:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        failed = sum(path.name == "failure.json" for path in ended)
        seconds = int(time.time() - self._began)
        head = f"{len(ended)} of {self.total or '?'} jobs, {failed} failed, {seconds // 60}:{seconds % 60:02d}"
        table = Table.grid(padding=(0, 2))
        over = {path.parent for path in ended}
        for about in sorted(self._fresh(BEGIN)):
            if about.parent not in over:
                instances = sum(1 for _ in about.parent.glob("instances/*.result.npz"))
                elapsed = int(time.time() - about.stat().st_mtime)
                table.add_row(
                    Text(one_line(about.parent.name.rsplit("-", 1)[0])), f"{instances} instances done", f"{elapsed} s"
                )
        bar = ProgressBar(total=max(self.total or len(ended) or 1, 1), completed=len(ended), width=40)
        return Group(bar, Text(head), table)


def _written(path: Path) -> tuple[int, Path]:
    """A sort key: jobs are told in the order in which they ended, however many did so since the last look."""
    try:
        return path.stat().st_mtime_ns, path
    except OSError:
        return 0, path
