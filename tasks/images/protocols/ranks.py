"""Several processes that extract features together, the first of which judges them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed

from runs.errors import SolverFailure

Value = TypeVar("Value")
PATIENCE = timedelta(days=7)
"""How long the others wait for the first process, which may fine-tune."""


class Ranks:
    """The processes of ``torch.distributed``, or this one alone; to be made by all of them together.

    Parameters
    ----------
    rank, count
        Which process this is, and how many there are.
    """

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self._group: Any = None
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self.rank, self.count = torch.distributed.get_rank(), torch.distributed.get_world_size()
            self._group = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)

    def gathered(self, mine: Value) -> list[Value] | None:
        """What every process gives, in order of rank, for the first; None for the others."""
        if self.count == 1:
            return [mine]
        everyone: list[Any] | None = [None] * self.count if self.rank == 0 else None
        torch.distributed.gather_object(mine, everyone, dst=0, group=self._group)
        return everyone

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What ``make`` gives in the first process, for all of them.

        Raises
        ------
        SolverFailure
            On the other processes, where the first one failed; the first raises its own error.
        """
        if self.count == 1:
            return make()
        told: list[Any] = [None, None]
        error: BaseException | None = None
        if self.rank == 0:
            try:
                told[0] = make()
            except Exception as failure:
                error, told[1] = failure, f"{type(failure).__name__}: {failure}"
        torch.distributed.broadcast_object_list(told, src=0, group=self._group)
        if error is not None:
            raise error
        if told[1] is not None:
            raise SolverFailure(f"the first process could not evaluate: {told[1]}")
        return told[0]
