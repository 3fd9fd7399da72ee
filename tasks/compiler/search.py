"""Searches for the passes of programs, with the coreset and the predictor that they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from data.compiler.base import Actions, Compiler
from runs.errors import ConfigError
from runs.record.kept_files import keep_file, tell
from runs.record.left_out import draw, warn
from solvers.base import Solver
from solvers.compiler.coreset_collection import Collected, CoresetCollection, CoresetSource
from solvers.compiler.coreset_file import coreset_bytes
from solvers.compiler.replay import Repertoire, Replay, Scorer, binds
from tasks.compiler.coverage_figure import coverage_figure
from tasks.compiler.measure import measure
from tasks.search import Measure, Search

COVERED = "the whole coreset fits into the budget"
LEFT_OUT = "left out: "


class Learned(Protocol):
    """What predicts which sequences of a coreset suit a program, trained once for all runs that need the same."""

    def prepare(self, folder: Path, sequences: tuple[Actions, ...], compiler: Compiler) -> Scorer:
        """The predictor for the run in ``folder``: trained here, or taken over."""


class PassOrderSearch(Search):
    """Searches in any way for the passes of programs.

    It leaves the coreset, where it has one, as ``coreset.json``, and where that is collected a figure of what it saves.

    Parameters
    ----------
    solver, budget, seed, measure, checkpoint_seconds
        See :class:`tasks.search.Search`; an evaluation is one application of a pass.
    coreset
        What is replayed; None for a search that replays nothing.
    model
        What says which sequences come first; None: they are replayed in their order.
    """

    compares_orders = True  # so that a budget which covers the whole coreset is warned of

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
        sequences = self._sequences(compiler)
        scorer = self.learned.prepare(self.folder, sequences, compiler) if self.learned else None
        self.model = Repertoire(sequences, scorer)  # type: ignore[assignment]
        if not self.trainer.is_global_zero:
            return
        keep_file(self.folder, "coreset.json", coreset_bytes(sequences, compiler))
        passes = sum(map(len, sequences))
        whole = isinstance(self.solver, Replay) and self.solver.ordered and self.budget.evaluations is not None
        whole &= self.compares_orders
        message = (
            f"{COVERED} of {self.budget.evaluations} passes: with its {len(sequences)} sequences and {passes} passes every "
            "order of them gives the same; give it a smaller task.budget.evaluations"
        )
        warn(self.folder, COVERED, message if whole and not binds(sequences, self.budget.evaluations) else None)

    def _sequences(self, compiler: Compiler) -> tuple[Actions, ...]:
        if not isinstance(self.coreset, CoresetCollection):
            assert self.coreset is not None
            return self.coreset.find(compiler)
        found = self.coreset.collect(compiler)
        if self.trainer.is_global_zero:
            tell(self.folder, [described(found)])
            draw(self.folder, "coverage", lambda: coverage_figure(found.coverage, float(found.own.mean())))
        return found.sequences


def described(found: Collected) -> str:
    """How a coreset came about, in a sentence."""
    passes = sum(map(len, found.sequences))
    return (
        f"coreset: {len(found.sequences)} sequences of {passes} passes, of {found.tried} tried on {len(found.programs)} "
        f"programs; the best of them saves {found.coverage[-1]:.2%} there (nothing {found.coverage[0]:.2%}, the first alone "
        f"{found.coverage[1]:.2%}, every program's own candidate {found.own.mean():.2%})"
    )
