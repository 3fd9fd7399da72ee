"""Rendering of the HTML pages: one file each, nothing fetched, everything from outside escaped."""

from __future__ import annotations

import base64
import hashlib
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runs.tables import FRACTIONS
from runs.verdicts import Judgement

TEMPLATES = Path(__file__).resolve().parent / "templates"
MAX_TABLE_ROWS = 50_000
NONE = "\u2013"
"""Stands where there is no number."""


def render(template: str, **context: Any) -> bytes:
    """Render a page of ``runs/templates``. The only script allowed to run in it is ``page.js``, by its hash."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "quantity": quantity, "interval": interval, "sort_key": sort_key}
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = environment.get_template(template).render(
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=digest,
        built=time.strftime("%Y-%m-%d %H:%M"),
        **context,
    )
    return text.encode("utf-8", errors="replace")


def data_uri(png: bytes) -> str:
    """A PNG image as the address of itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def number(value: Any, digits: int = 4) -> str:
    """A number for people: at most ``digits`` significant digits; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return NONE
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value}"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 10**digits and abs(value) < 1e9 else f"{value:.{digits}g}"
    return str(value)


def quantity(value: Any, metric: str, unit: str = "") -> str:
    """A value of a metric; rates and gaps in percent."""
    text = number(value * 100, 3) + " %" if is_percent(metric) and _is_number(value) else number(value)
    return text if text == NONE or not unit or is_percent(metric) else f"{text} {unit}"


def interval(low: Any, high: Any, metric: str = "") -> str:
    """A confidence interval, or nothing where the data give none."""
    if not _is_number(low) or not _is_number(high):
        return ""
    scale, digits = (100, 3) if is_percent(metric) else (1, 4)
    return f"[{number(low * scale, digits)}, {number(high * scale, digits)}]"


def is_percent(metric: str) -> bool:
    """True for a metric, or its row of one data set, that reads best in percent."""
    return metric in FRACTIONS or metric.rsplit("/", 1)[0].split("_at_")[0] in FRACTIONS


def sort_key(value: Any) -> str:
    """What a cell sorts by: the full number, or nothing where there is none."""
    return repr(float(value)) if _is_number(value) else "" if value is None or isinstance(value, float) else str(value)


def data_table(frame: pd.DataFrame, caption: str) -> dict[str, Any]:
    """A table that the page draws a screenful at a time, so that thousands of rows stay usable."""
    shown = frame.head(MAX_TABLE_ROWS)
    columns, cells = [], []
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name])
        columns.append({"name": str(name), "numeric": bool(numeric)})
        cells.append([_json_number(v) for v in shown[name].tolist()] if numeric else shown[name].astype(str).tolist())
    rows: list[list[Any]] = [list(row) for row in zip(*cells, strict=True)] if cells else []
    return {"caption": caption, "columns": columns, "rows": rows, "total": len(frame)}


def claim_rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """Judgements as the words and numbers of a table."""
    rows = []
    for judgement in judgements:
        claim, effect = judgement.claim, judgement.effect
        scaled = "primal_gap" if claim.relative else claim.metric  # relative effects read in percent
        test = f"{claim.metric}, {claim.better} is better; {claim.kind} over {claim.over}, level {claim.level:g}"
        if claim.at:
            test += f", at {claim.at[1]:g} {claim.at[0]}"
        if claim.minimal_effect:
            test += f", effect above {quantity(claim.minimal_effect, scaled)}"
        rows.append(
            {
                "claim": claim,
                "status": str(judgement.status),
                "sort": sort_key(effect.mean),
                "effect": quantity(effect.mean, scaled),
                "interval": interval(effect.low, effect.high, scaled),
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _json_number(value: Any) -> float | int | None:
    return value if _is_number(value) else None
