"""Experts on small auctions, limited in nodes, and collections that can be killed.

``python experts.py CACHE JOURNAL`` collects four instances into CACHE; each step of each is noted in JOURNAL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.ilp.expert.collection import ExpertCollection
from data.ilp.expert.record import ExpertRecord
from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.instances import IntegerPrograms
from data.ilp.problem import ILP
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.expert import LocalBranchingExpert, Perturbation
from solvers.lns.repair import Repair
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs

SETTINGS = {"collector": {"size": 6}, "train": "auctions"}


def expert(**changes: Any) -> LocalBranchingExpert:
    """Reproducible: its limits are nodes. k = 6, up to 4 steps, from the greedy solution."""
    settings: dict[str, Any] = {
        "local_branching": LocalBranching(Highs(), seconds=60.0, nodes=200),
        "repair": Repair(Highs(), seconds=60.0, nodes=200),
        "start": Greedy(),
        "start_budget": {"seconds": 60.0},
        "size": 6,
        "steps": 4,
        "perturbation": Perturbation(step=1, limit=12, misses=6),
    }
    return LocalBranchingExpert(**(settings | changes))


def auctions(count: int = 4) -> IntegerPrograms:
    return IntegerPrograms(generator=CombinatorialAuction(40, 80), count=count, seed=5, name="auctions")


class Journalled:
    """An expert that notes every step it makes."""

    def __init__(self, journal: str) -> None:
        self.journal = journal

    def records(self, problem: ILP, index: int, record: ExpertRecord | None = None) -> Iterator[ExpertRecord]:
        for made in expert().records(problem, index, record):
            yield made
            handle = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(handle, f"{index}.{len(made.steps)}{'!' if made.end else ''}\n".encode())
            os.close(handle)


if __name__ == "__main__":
    cache, journal = sys.argv[1:]
    report = ExpertCollection(auctions(), cache, SETTINGS).fill(Journalled(journal))
    Path(journal).with_name(f"{os.getpid()}.made").write_text(str(report.made))
