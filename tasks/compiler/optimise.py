"""Programs to take away, as small as was found: module, passes, and what each pass removed (docs/compilers.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.machine_code import code_bytes
from data.compiler.problem import PassOrdering
from runs.errors import ConfigError, InvalidProblem, nearest
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from runs.record.left_out import draw, warn
from solvers.base import Solver
from tasks.compiler.passes_figure import over_passes_figure, passes_figure
from tasks.compiler.search import PassOrderSearch
from tasks.compiler.verification import Verification
from tasks.side_by_side import OWN, answers, side_by_side

Goal = Literal["instructions", "text"]
GOALS: tuple[Goal, ...] = ("instructions", "text")
BEFORE, KEPT = "before", "kept"
MOST_SHOWN = 4
"""Programs of which each has a figure of its own and sentences."""


class OptimisedPrograms(PassOrderSearch):
    """A search beside others, whose smallest module is kept for every program.

    It is no larger than the level of size leaves, which is among what is compared. Kept are ``NAME.opt.bc``,
    ``NAME.opt.ll``, ``NAME.passes.txt`` and ``NAME.steps.csv``. Besides what a search measures there are ``kept``
    instructions, and bytes of machine code before (``text_before``), of the level of size (``text_level``) and of what is
    kept (``text``).

    Parameters
    ----------
    beside
        Other solvers by name; with the run's coreset, budget and seed.
    goal
        What decides which answer is kept: ``instructions`` or bytes of ``text``.
    verification
        A result that it finds fault with is named and not kept.
    label
        Of the search.
    """

    compares_orders = False

    def __init__(
        self,
        *given: Any,
        beside: Mapping[str, Solver] | None = None,
        goal: Goal = "instructions",
        verification: Verification | None = None,
        label: str = "search",
        **settings: Any,
    ) -> None:
        super().__init__(*given, **settings)
        if goal not in GOALS:
            raise ConfigError(f"task.goal is '{goal}'{nearest(goal, GOALS)}")
        self.beside, self.goal, self.label = dict(beside or {}), goal, label
        self.verification = verification or Verification()

    @cached_property
    def machine(self) -> LlvmliteCompiler:
        """Makes machine code of modules, whatever the compiler."""
        return LlvmliteCompiler("single")

    def on_test_end(self) -> None:
        """End what made machine code."""
        self.machine.close()

    def result(self, index: int, name: str, problem: PassOrdering) -> InstanceResult:
        """Search one program, and keep its smallest module."""
        found = side_by_side(self, self.beside, super().result, index, name, problem)
        chosen = {problem.compiler.size_level: problem.level()} | {
            self.label if label == OWN else label: answer for label, answer in answers(found).items()
        }
        modules = {BEFORE: problem.program.bitcode} | self._sound(problem, chosen)
        sizes = {label: code_bytes(module, self.machine, problem.name) for label, module in modules.items()}
        kept = min(
            (label for label in modules if label != BEFORE),
            key=lambda label: sizes[label] if self.goal == "text" else problem.objective(chosen[label]),
            default=BEFORE,
        )
        answer = chosen.get(kept, np.array([], np.int64))
        self._keep(problem, kept, answer, modules[kept])
        if len(self.data.test_problems) <= MOST_SHOWN:
            traces = {
                self.label if label == OWN else label: each.trace
                for label, each in found.items()
                if each.trace is not None
            }
            draw(self.folder, f"{problem.name}.passes", lambda: passes_figure(problem, kept, answer, traces))
        own = found[OWN]
        measured = {
            KEPT: float(problem.objective(answer)),
            "text_before": float(sizes[BEFORE]),
            "text_level": float(sizes.get(problem.compiler.size_level, np.nan)),
            "text": float(sizes[kept]),
        }
        return replace(own, metrics=own.metrics | measured)

    def on_test_epoch_end(self) -> None:
        """The means, what was gained in words, and how instructions fell over the passes."""
        super().on_test_epoch_end()
        if not self.trainer.is_global_zero:
            return
        results = [each for each in instances.load_all(self.folder) if each.metrics]
        own = [each for each in results if each.method is None and KEPT in each.metrics]
        lines = [_sentence(each) for each in own[:MOST_SHOWN]] if len(own) <= MOST_SHOWN else []
        tell(self.folder, [*lines, *_together(own), f"counted by {self.data.compiler.fingerprint}"])
        references = {each.name: each.metrics["instructions"] / each.metrics["size"] for each in own}
        if len(own) > 1:
            draw(self.folder, "over_passes", lambda: over_passes_figure(results, references, self.label))

    def _sound(self, problem: PassOrdering, chosen: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        """The modules of answers with which nothing is wrong; the others are named in a warning."""
        sound: dict[str, bytes] = {}
        for label, answer in chosen.items():
            try:
                module = problem.module(answer)
            except InvalidProblem as error:  # of some levels a compiler tells the count alone
                warn(self.folder, f"{problem.name}, {label}: ", str(error))
                continue
            fault = self.verification.difference(problem.program.bitcode, module, self.machine, problem.name)
            subject = f"{problem.name}, {label}: "
            warn(self.folder, subject, fault and f"{subject}not kept, since {fault}")
            if fault is None:
                sound[label] = module
        return sound

    def _keep(self, problem: PassOrdering, label: str, answer: np.ndarray, module: bytes) -> None:
        level = problem.level_of(answer)
        names = [problem.compiler.actions[action] for action in answer.tolist()] if level is None else [level]
        line = problem.compiler.command_line(tuple(answer.tolist())) if level is None else level
        file = problem.name.removesuffix(".bc").removesuffix(".ll").removesuffix(".c")
        keep_file(self.folder, f"{file}.opt.bc", module)
        keep_file(self.folder, f"{file}.opt.ll", self.machine.load(module, problem.name).show("text"))
        keep_file(self.folder, f"{file}.passes.txt", f"{line}\n".encode())
        counts = (
            problem.trajectory(tuple(answer.tolist())).counts if level is None else (problem.initial, problem.reference)
        )
        keep_file(self.folder, f"{file}.steps.csv", steps_csv(names, counts))


def steps_csv(names: list[str], counts: tuple[int, ...]) -> bytes:
    """A line a pass: its place, its name, instructions after it, and how many it removed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "pass", "instructions", "removed"])
    writer.writerow([0, "", counts[0], ""])
    for step, (name, before, after) in enumerate(zip(names, counts, counts[1:], strict=False), 1):
        writer.writerow([step, name, after, before - after])
    return text.getvalue().encode()


def _sentence(result: InstanceResult) -> str:
    found = result.metrics
    level = round(found["instructions"] / found["size"])
    before = round(found["instructions"] / (1 - found["reduction"])) if found["reduction"] < 1 else 0
    of_level = "not known" if np.isnan(found["text_level"]) else f"{found['text_level']:.0f}"
    more = "" if found[KEPT] <= level else " (which leaves fewer, but whose module the compiler does not give)"
    return (
        f"{result.name}: {found[KEPT]:.0f} instructions of {before}, at the level of size {level}{more}; machine code "
        f"{found['text']:.0f} bytes of {found['text_before']:.0f}, at the level of size {of_level}"
    )


def _together(results: list[InstanceResult]) -> list[str]:
    """All programs in a sentence, or nothing where there is one."""
    if len(results) < 2:
        return []
    kept = sum(each.metrics[KEPT] for each in results)
    level = sum(each.metrics["instructions"] / each.metrics["size"] for each in results)
    text, of_level = (sum(each.metrics[name] for each in results) for name in ("text", "text_level"))
    better = sum(each.metrics[KEPT] < each.metrics["instructions"] / each.metrics["size"] for each in results)
    return [
        f"{len(results)} programs: {kept:.0f} instructions, at the level of size {level:.0f} "
        f"({1 - kept / level:.1%} fewer); machine code {text:.0f} bytes, at the level of size {of_level:.0f}; "
        f"{better} programs have fewer instructions than at that level"
    ]
