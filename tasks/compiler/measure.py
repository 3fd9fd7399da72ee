"""What is measured of the passes that were found for a program (docs/papers/pass_order.md#8)."""

from __future__ import annotations

from data.compiler.problem import PassOrdering
from solvers.base import Solution


def measure(problem: PassOrdering, solution: Solution) -> dict[str, float]:
    """Instructions, and how many fewer than at the compiler's own level of size and than without any pass.

    ``family_improvement`` is ``improvement`` again: reports average it over families. ``or_level`` is the improvement of
    whoever also runs the level of size, and takes the better.
    """
    count, reference = solution.objective, problem.reference
    improvement = (reference - count) / reference
    level = solution.assignment is not None and problem.level_of(solution.assignment)
    return {
        "instructions": count,
        "improvement": improvement,
        "family_improvement": improvement,
        "or_level": max(improvement, 0.0),
        "improved": float(count < reference),
        "size": count / reference,
        "family_size": count / reference,
        "reduction": (problem.initial - count) / problem.initial,
        "passes": 0.0 if level or solution.assignment is None else float(len(solution.assignment)),
    }
