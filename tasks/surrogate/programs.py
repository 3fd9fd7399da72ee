"""Integer programs with a cost of one's own: the best point as a file, and what it costs (docs/surco.md)."""

from __future__ import annotations

import csv
import io

import numpy as np

from data.ilp.priced import PricedProgram
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from solvers.base import Solution
from tasks.surrogate.measure import through_oracle
from tasks.surrogate.search import SurrogateSearch


def measure(problem: PricedProgram, solution: Solution) -> dict[str, float]:
    """The cost, the program's own linear objective at the same point, and what the search tells besides."""
    found = {"objective": solution.objective}
    if solution.assignment is not None:
        found["linear_objective"] = problem.polytope.objective(solution.assignment)
    return found | through_oracle(solution)


class ProgramSearch(SurrogateSearch):
    """A search that leaves ``x.csv``, the value of every variable by its name."""

    def result(self, index: int, name: str, problem: PricedProgram) -> InstanceResult:
        """Search one program, and keep its best point."""
        found = super().result(index, name, problem)
        if found.assignment is None or not found.metrics["feasible"]:
            tell(self.folder, [f"{problem.name}: no feasible point was found within the budget"])
            return found
        prefix = "" if len(self.data.test_problems) == 1 else f"{problem.name}."
        keep_file(self.folder, f"{prefix}x.csv", as_csv(problem, found.assignment))
        queries = int(found.metrics["evaluations"])
        tell(self.folder, [f"{problem.name}: the cost is {found.metrics['objective']:.6g} after {queries} queries"])
        return found


def as_csv(problem: PricedProgram, x: np.ndarray) -> bytes:
    """A line a variable: its name and value."""
    program = problem.polytope
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variable", "value"])
    for j, value in enumerate(x.tolist()):
        writer.writerow([program.var_names[j] if program.var_names else str(j), f"{value:.12g}"])
    return text.getvalue().encode()
