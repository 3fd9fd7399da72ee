"""Rendering of the HTML pages: one file each, nothing fetched, everything from outside escaped."""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runs.claims.metric import SHARE
from runs.claims.metrics import PaperMetrics
from runs.claims.number_format import NONE, is_number, largest, number, snapped, sort_key
from runs.claims.verdicts import Judgement
from runs.text import printable

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_TABLE_ROWS = 50_000


def render(template: str, **context: Any) -> bytes:
    """Render a page of ``runs/templates``. The only script allowed to run in it is ``page.js``, by its hash."""
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        _templates()
        .get_template(template)
        .render(
            style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
            script=Markup(script),
            script_hash=digest,
            built=time.strftime("%Y-%m-%d %H:%M"),
            **context,
        )
    )
    return text.encode("utf-8", errors="replace")


@functools.cache
def _templates() -> Environment:
    """They are compiled once."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {"number": number, "sort_key": sort_key}
    return environment


def data_uri(png: bytes) -> str:
    """A PNG image as the address of itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def data_table(frame: pd.DataFrame, caption: str) -> dict[str, Any]:
    """A table that the page draws a screenful at a time, so that thousands of rows stay usable."""
    shown = frame.head(MAX_TABLE_ROWS)
    columns, cells = [], []
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name])
        columns.append({"name": str(name), "numeric": bool(numeric)})
        values = shown[name].tolist()
        scale = largest(values) if numeric else 0.0
        cells.append([_json_number(snapped(v, scale)) for v in values] if numeric else [str(v) for v in values])
    rows: list[list[Any]] = [list(row) for row in zip(*cells, strict=True)] if cells else []
    return {"caption": caption, "columns": columns, "rows": rows, "total": len(frame)}


def claim_rows(judgements: Iterable[Judgement], metrics: PaperMetrics) -> list[dict[str, Any]]:
    """Judgements as the words and numbers of a table."""
    rows = []
    for judgement in judgements:
        claim, effect = judgement.claim, judgement.effect
        metric = metrics.of(claim.paper, claim.metric)
        shown = SHARE if claim.in_shares else metric
        scale = largest((effect.mean, effect.low, effect.high))
        how = "Welch's test of each published number" if claim.asserts_agreement else claim.kind
        test = f"{metric.label}, {claim.better} is better; {how} over {claim.over}, level {claim.level:g}"
        if claim.controls:
            test += "; each method less its control"
        if claim.at:
            test += f", at {claim.at[1]:g} {claim.at[0]}"
        if claim.minimal_effect:
            test += f", effect above {shown.quantity(claim.minimal_effect)}"
        rows.append(
            {
                "claim": claim,
                "status": str(judgement.status),
                "sort": sort_key(effect.mean),
                "effect": shown.quantity(effect.mean, scale),
                "interval": shown.interval(effect.low, effect.high, scale),
                "p_value": number(judgement.p_value, 2) if effect.n else NONE,
                "effect_size": number(judgement.effect_size, 2),
                "n": effect.n,
                "test": test,
                "reason": judgement.reason,
                "command": "",
            }
        )
    return rows


def distinct(values: Iterable[Any]) -> list[tuple[str, int]]:
    """Distinct values as text with how often each occurs, most frequent first."""
    counts = pd.Series([str(value) for value in values], dtype=object).value_counts()
    return [(str(text), int(n)) for text, n in counts.items()]


def sections(entries: Sequence[tuple[str, str, bool]]) -> list[tuple[str, str]]:
    """(anchor, title) of the sections that are there."""
    return [(anchor, title) for anchor, title, there in entries if there]


def _json_number(value: Any) -> float | int | None:
    return value if is_number(value) else None
