"""The checkpoints that the runs of a sweep judged while they trained, a problem per seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.modules import ProblemData
from runs.errors import ConfigError
from runs.record import sweep_folder

TABLE = "iterations.parquet"
REMEDY = "run experiment=ssl/figure_rank_small, or give the folder of a sweep with task.judged_every"
Curve = dict[str, np.ndarray]
"""Columns of equal length, a row per epoch; NaN where nothing was judged."""


@dataclass(frozen=True, eq=False)
class JudgedCheckpoints:
    """Curves of several recipes that were trained with one seed.

    Parameters
    ----------
    name
        Of the instance.
    seed
        Of all these trainings.
    curves
        By recipe.
    """

    name: str
    seed: int
    curves: dict[str, Curve]


class JudgedSweep(ProblemData):
    """The finished runs of a sweep over recipes and seeds.

    Parameters
    ----------
    name
        Of the set.
    sweep
        Its folder.

    Raises
    ------
    ConfigError
        There is no sweep, or no finished run in it that judged its checkpoints.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(self, name: str, sweep: str | None) -> None:
        super().__init__()
        self.name, self.sweep = name, sweep

    def setup(self, stage: str | None = None) -> None:
        """Read the curves."""
        if self.sweep is None:
            raise ConfigError(f"data.sweep is null; {REMEDY}")
        found: dict[int, dict[str, Curve]] = {}
        for run in sweep_folder.load(Path(self.sweep).expanduser()).usable:
            if (run.folder / TABLE).is_file():
                table = pd.read_parquet(run.folder / TABLE)
                if "linear" in table:
                    found.setdefault(run.seed, {})[run.method] = {str(key): table[key].to_numpy() for key in table}
        if not found:
            raise ConfigError(f"data.sweep: no finished run in {self.sweep} judged its checkpoints; {REMEDY}")
        self.test_problems = [(i, JudgedCheckpoints(f"seed {s}", s, found[s])) for i, s in enumerate(sorted(found))]  # type: ignore[assignment]
