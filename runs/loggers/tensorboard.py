"""``logger=tensorboard``: event files in ``<run>/tensorboard``, written without torch or TensorFlow."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.errors import require
from runs.loggers.dashboard import Dashboard
from runs.loggers.local import RunInfo

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class TensorboardDashboard(Dashboard):
    """One folder of event files per run; ``tensorboard --logdir`` over the sweep's folder shows them all.

    TensorBoard knows whole steps only, so the x axis of a curve is in thousandths of its unit (seconds become
    milliseconds) and counts stay as they are.
    """

    _writer: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        require("tensorboard", "tracking")

    def open(self, run: RunInfo) -> str | None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(run.folder / "tensorboard"))
        self._text("config", _yaml_block({**run.config, "revision": run.revision, "group": run.group}))
        return None

    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        for name, value in values.items():
            self._scalar(name if step is not None else f"final/{name}", value, step or 0)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        self._text(f"tables/{name}", _markdown(frame))

    def curves(self, name: str, frame: pd.DataFrame, x: str, y: str, series: str | None) -> None:
        self._text(f"tables/curves/{name}", _markdown(frame))
        whole = frame[x].dtype.kind in "iu"
        axis = x if whole else f"{x} / 1000"
        groups = [(y, frame)] if series is None else frame.groupby(series, sort=False)
        for label, part in groups:
            known = part.dropna(subset=[x, y])
            steps = known[x] if whole else (1000 * known[x]).round()
            for step, value in zip(steps, known[y], strict=True):
                self._scalar(f"curves/{name}/{label} ({axis})", value, int(step))

    def figure(self, name: str, path: Path) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        content = path.read_bytes()
        width, height = struct.unpack(">II", content[16:24])  # the IHDR chunk of a PNG
        image = Summary.Image(encoded_image_string=content, width=width, height=height, colorspace=4)
        self._write(Summary(value=[Summary.Value(tag=f"figures/{name}", image=image)]), 0)

    def close(self, success: bool) -> None:
        self._writer.close()

    def _scalar(self, tag: str, value: float, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write(Summary(value=[Summary.Value(tag=tag, simple_value=float(value))]), step)

    def _text(self, tag: str, markdown: str) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(text_pb(tag, markdown), 0)

    def _write(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _yaml_block(config: Mapping[str, Any]) -> str:
    import yaml

    return "    " + yaml.safe_dump(dict(config), sort_keys=False).replace("\n", "\n    ")


def _markdown(frame: pd.DataFrame) -> str:
    """A table in markdown; pandas needs another package for it."""
    head = "| " + " | ".join(map(str, frame.columns)) + " |\n|" + " --- |" * len(frame.columns)
    rows = ("| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False))
    return "\n".join([head, *rows])
