"""What a report found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from runs.anytime import Clock
from runs.claims.agreement import Agreement
from runs.claims.metrics import PaperMetrics
from runs.claims.verdicts import Judgement
from runs.record.run_folder import Run


@dataclass(frozen=True, eq=False)
class ReportSummary:
    """What a report found.

    Parameters
    ----------
    table
        The rows of ``report.csv``.
    judgements
        The claims that the sweep decides, with their verdicts.
    agreements
        The published numbers with a counterpart in the sweep, tested where possible; the rows of ``published.csv``.
    metrics
        How they are shown, by paper.
    first
        Metrics that come first: the headlines of the experiments, then those that published numbers or claims of the papers
        speak of, those of this sweep ahead.
    failed
        Runs that failed, were killed or cannot be read, each with its cause.
    running
        Runs that are still at work.
    outcomes
        How each search ended, a row each (:func:`runs.record.outcomes.outcomes`).
    lost_instances
        Instances without a result in runs that finished nevertheless, each with its cause, in words.
    problems
        What else is wrong, in words: methods that contradict each other, runs that warn, a file of claims that breaks its
        format.
    found
        What few runs say of what they found, in sentences.
    files
        What these runs left for other tools.
    notes
        What the numbers are, in sentences: what gaps are against, what means do not cover.
    clock
        What the budget of the searches counts.
    html, figures
        Where the page and the pictures are.
    """

    table: pd.DataFrame
    judgements: list[Judgement]
    agreements: list[Agreement]
    metrics: PaperMetrics
    first: list[str]
    failed: list[Run]
    running: list[Run]
    outcomes: pd.DataFrame
    clock: Clock
    lost_instances: list[str]
    problems: list[str]
    found: list[str]
    files: list[Path]
    notes: list[str]
    html: Path
    figures: list[Path]

    @property
    def whole(self) -> bool:
        """True if no run and no instance is without a result."""
        return not self.failed and not self.lost_instances
