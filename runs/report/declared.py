"""What the papers of a sweep declare: their metrics, claims and published numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runs.claims.claim import Claim, load_claims
from runs.claims.metrics import Metrics, PaperMetrics, load_metrics
from runs.claims.published import Published, load_published
from runs.environment import CONF
from runs.errors import ConfigError
from runs.record.sweep_folder import Sweep


@dataclass
class Declared:
    """What was read, and what could not be: a bad file is named in the report; it does not cost the user the report."""

    metrics: PaperMetrics = field(default_factory=PaperMetrics)
    claims: list[Claim] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, sweep: Sweep, conf: Path = CONF) -> Declared:
        """Of all papers of a sweep. Published numbers whose unit is unknown, as the metrics cannot be read, are left out."""
        found = cls()
        for paper in sorted({paper for paper, _ in sweep.experiments}):
            try:
                found.metrics[paper] = _metrics(paper, sweep, conf)
                where = configuration_of(paper, "published.yaml", sweep, conf)
                found.published += load_published(paper, where, found.metrics[paper])
            except ConfigError as error:
                found.problems.append(str(error))
            try:
                found.claims += load_claims(paper, configuration_of(paper, "claims.yaml", sweep, conf))
            except ConfigError as error:
                found.problems.append(str(error))
        return found


def metrics_of(sweep: Sweep, conf: Path = CONF) -> PaperMetrics:
    """The metrics of all papers of a sweep.

    Raises
    ------
    ConfigError
        A ``metrics.yaml`` breaks the format.
    """
    return PaperMetrics({paper: _metrics(paper, sweep, conf) for paper in {paper for paper, _ in sweep.experiments}})


def _metrics(paper: str, sweep: Sweep, conf: Path) -> Metrics:
    return load_metrics(paper, configuration_of(paper, "metrics.yaml", sweep, conf))


def configuration_of(paper: str, file: str, sweep: Sweep, conf: Path = CONF) -> Path:
    """The configuration folder that has a file of a paper: the user's own if it is there."""
    own = {run.config_dir for run in sweep.usable if run.paper == paper and run.config_dir}
    return next((folder for folder in sorted(own) if (folder / "experiment" / paper / file).exists()), conf)
