"""The cheapest assignment of whole tables to devices, of costs for each table on each device (docs/papers/surco.md#3.6)."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int

from data.ilp.problem import ILP
from data.sharding.problem import GIB, ShardingProblem
from runs.errors import InvalidProblem
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.sharding.assignment_ilp import allowed, whole_tables
from solvers.sharding.relaxed import RelaxedPlans


class _Rules(NamedTuple):
    """What is prepared once for a problem."""

    allowed: Bool[np.ndarray, "tables devices"]
    sizes: Int[np.ndarray, " tables"]
    program: ILP


class TableAssignment(LinearOracle):
    """Each table on its cheapest device, the first of several; where they do not fit there, an integer program.

    Where memory does not bind, nothing else has to be solved, and that is seen by counting bytes.

    Parameters
    ----------
    binding
        Solves the integer programs: an oracle over any ILP.
    every_device
        Whether no device may be left empty.
    """

    def __init__(self, binding: LinearOracle, every_device: bool = False) -> None:
        self.binding, self.every_device = binding, every_device
        self._prepared: WeakKeyDictionary[ShardingProblem, _Rules] = WeakKeyDictionary()

    def check(self, problem: ShardingProblem | RelaxedPlans) -> None:
        """Refuse what no assignment of whole tables can hold.

        Raises
        ------
        InvalidProblem
            A table is larger than every device, or than the one it is pinned to: names it; or there are fewer tables than
            devices, of which none may be empty.
        """
        sharding = _sharding(problem)
        sharding.validate()
        may, sizes, _ = self._rules(sharding)
        room = np.where(may, sharding.memory, 0).max(1)
        if (sizes > room).any():
            i = int(np.argmax(sizes > room))
            raise InvalidProblem(
                f"{sharding.name}: table '{sharding.tables.names[i]}' needs {sizes[i] / GIB:.4g} GiB as a whole, and no "
                f"device that may take it has more than {room[i] / GIB:.4g}; only neuroshard's search splits tables"
            )
        if self.every_device and len(sizes) < sharding.devices:
            raise InvalidProblem(
                f"{sharding.name}: {len(sizes)} tables leave some of {sharding.devices} devices empty; take fewer devices, "
                "or solver.oracle.every_device=false"
            )

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: ShardingProblem | RelaxedPlans) -> Vertices:
        sharding = _sharding(problem)
        may, sizes, program = self._rules(sharding)
        grid = np.where(may, costs.reshape(len(costs), *may.shape), np.inf)
        device = grid.argmin(2)
        fits = self._fits(device, sizes, sharding)
        x = np.zeros_like(grid)
        np.put_along_axis(x, device[:, :, None], 1.0, axis=2)
        if fits.all():
            return Vertices(x.reshape(costs.shape), fits)
        found = self.binding.solve(costs[~fits], program)
        x[~fits] = np.round(found.x).reshape(-1, *grid.shape[1:])
        exact = fits.copy()
        exact[~fits] = found.exact
        return Vertices(x.reshape(costs.shape), exact)

    def _fits(
        self, device: Int[np.ndarray, "batch tables"], sizes: Int[np.ndarray, " tables"], problem: ShardingProblem
    ) -> Bool[np.ndarray, " batch"]:
        on = device[:, :, None] == np.arange(problem.devices)
        used = np.where(on, sizes[:, None], 0).sum(1)
        fits = (used <= problem.memory).all(1)
        return fits & on.any(1).all(1) if self.every_device else fits

    def _rules(self, problem: ShardingProblem) -> _Rules:
        if problem not in self._prepared:
            sizes = problem.column_bytes * problem.dims
            self._prepared[problem] = _Rules(allowed(problem), sizes, whole_tables(problem, self.every_device))
        return self._prepared[problem]


def _sharding(problem: ShardingProblem | RelaxedPlans) -> ShardingProblem:
    return problem.problem if isinstance(problem, RelaxedPlans) else problem
