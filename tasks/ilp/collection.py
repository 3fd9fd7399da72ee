"""Collecting what local branching teaches: no parameters, nothing to fit."""

from __future__ import annotations

import numpy as np

from data.ilp.expert.collection import measure, totals
from data.ilp.problem import ILP
from runs.errors import InvalidProblem
from runs.record.instances import InstanceResult
from tasks.problems import ProblemTask


class ExpertCollecting(ProblemTask):
    """Fills the collection of the data's training instances and reports what each gave (docs/papers/cl_lns.md#2.4).

    All ranks, and all copies of the command on machines that share the cache, work on the same instances, each on others.
    The data's test instances must be its training instances.
    """

    def on_test_start(self) -> None:
        """Collect what is missing."""
        self.data.collect_records()

    def result(self, index: int, name: str, problem: ILP) -> InstanceResult:
        """States, sets, gap and seconds of one instance.

        Raises
        ------
        InvalidProblem
            It was not collected; gives the reason.
        """
        records = self.data.records
        item = records.item_of(index, problem)
        record = records.record(item)
        if record is None:
            reason = (records.artifacts.failure(item) or {}).get("reason", "it is none of the training instances")
            raise InvalidProblem(f"{problem.name} was not collected: {reason}")
        choice = self.data.choice
        table = measure(record, choice.positive_share, choice.negative_share)
        return InstanceResult(index, name, totals(table), log={"step": np.arange(len(record.steps)), **table})
