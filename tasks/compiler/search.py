"""Searches for the passes of programs, with the coreset and the predictor that they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from data.compiler.base import Actions, Compiler
from runs.errors import ConfigError
from runs.record.kept_files import keep_file
from runs.record.left_out import warn
from solvers.base import Solver
from solvers.compiler.coreset_collection import CoresetSource
from solvers.compiler.coreset_file import coreset_bytes
from solvers.compiler.replay import Repertoire, Replay, Scorer, binds
from tasks.compiler.measure import measure
from tasks.search import Measure, Search

COVERED = "the whole coreset fits into the budget"
LEFT_OUT = "left out: "


class Learned(Protocol):
    """What predicts which sequences of a coreset suit a program, trained once for all runs that need the same."""

    def prepare(self, folder: Path, sequences: tuple[Actions, ...], compiler: Compiler) -> Scorer:
        """The predictor for the run in ``folder``: trained here, or taken over."""


class PassOrderSearch(Search):
    """Searches in any way for the passes of programs; leaves the coreset, where it has one, as ``coreset.json``.

    Parameters
    ----------
    solver, budget, seed, measure, checkpoint_seconds
        See :class:`tasks.search.Search`; an evaluation is one application of a pass.
    coreset
        What is replayed; None for a search that replays nothing.
    model
        What says which sequences come first; None: they are replayed in their order.
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        measure: Measure = measure,
        checkpoint_seconds: float = 1.0,
        coreset: CoresetSource | None = None,
        model: Learned | None = None,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        if isinstance(solver, Replay) and coreset is None:
            raise ConfigError("task.coreset is null, and a replay needs one; choose one, such as collected")
        self.coreset, self.learned = coreset, model

    def on_test_start(self) -> None:
        """Collect the coreset and train the predictor, or take them over."""
        compiler = self.data.compiler
        warn(self.folder, LEFT_OUT, f"{LEFT_OUT}{self.data.left_out}" if self.data.left_out else None)
        if self.coreset is None:
            return
        sequences = self.coreset.find(compiler)
        scorer = self.learned.prepare(self.folder, sequences, compiler) if self.learned else None
        self.model = Repertoire(sequences, scorer)  # type: ignore[assignment]
        if not self.trainer.is_global_zero:
            return
        keep_file(self.folder, "coreset.json", coreset_bytes(sequences, compiler))
        passes = sum(map(len, sequences))
        whole = isinstance(self.solver, Replay) and self.solver.ordered and self.budget.evaluations is not None
        message = (
            f"{COVERED} of {self.budget.evaluations} passes: with its {len(sequences)} sequences and {passes} passes every "
            "order of them gives the same; give it a smaller task.budget.evaluations"
        )
        warn(self.folder, COVERED, message if whole and not binds(sequences, self.budget.evaluations) else None)
