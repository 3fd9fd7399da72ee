"""Which pieces of every table lie where, as an integer program (docs/papers/neuroshard.md#3.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from data.ilp.problem import FEASIBILITY, ILP
from data.sharding.plan import Pieces, Plan, is_splittable
from data.sharding.problem import ANYWHERE, ShardingProblem

COST_UNITS = 100_000
"""Of the largest cost: costs are rounded to whole ones, so that back ends of pure integer programs take them, too."""


@dataclass(frozen=True, eq=False)
class AssignmentILP:
    """An integer program, and what its binary variables stand for.

    Parameters
    ----------
    ilp
        One binary variable for each candidate, and after them the largest load where there is one.
    candidates
        A piece of every width that a table may be halved to, on every device that may take it. Several pieces of one width
        on one device are never better than the piece they are halves of, so each is there once.
    problem
        Whose.
    """

    ilp: ILP
    candidates: Pieces
    problem: ShardingProblem

    def plan(self, assignment: Float[np.ndarray, " variables"]) -> Plan:
        """The plan that a solution stands for."""
        chosen = np.flatnonzero(assignment[: len(self.candidates.table)] > 0.5)
        columns = (self.candidates.table, self.candidates.dim, self.candidates.shard)
        return Plan.of_pieces(self.problem.dims, Pieces(*(column[chosen] for column in columns)))


def candidates(problem: ShardingProblem, halvings: int | None = None) -> Pieces:
    """What :class:`AssignmentILP` chooses from; ``halvings`` limits how often a table is halved."""
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])
    for table, whole in enumerate(problem.dims.tolist()):
        most = math.inf if problem.most_pieces is None else int(problem.most_pieces[table])
        pinned = ANYWHERE if problem.pinned is None else int(problem.pinned[table])
        devices = range(problem.devices) if pinned == ANYWHERE else [pinned]
        dim, times = whole, 0
        while True:
            for device in devices:
                for column, value in zip(columns, (table, dim, device), strict=True):
                    column.append(value)
            times += 1
            deeper = times < most and times <= (math.inf if halvings is None else halvings)
            if not (is_splittable(dim) and deeper and len(devices) > 1):
                break
            dim //= 2
    return Pieces(*(np.array(column, np.int64) for column in columns))


def fewest_pieces(problem: ShardingProblem) -> AssignmentILP:
    """Any plan that fits, to the byte, with as few pieces as can be; for back ends that reckon in whole numbers."""
    chosen = candidates(problem)
    count = len(chosen.table)
    rows, low, high = _rules(problem, chosen, exact=True)
    ilp = ILP.build(np.ones(count), rows, low, high, ub=1.0, integer=True, name=f"packing of {problem.name}")
    return AssignmentILP(ilp, chosen, problem)


def whole_tables(problem: ShardingProblem, every_device: bool = False) -> ILP:
    """Every table whole on one device, at no cost yet: variable ``table * devices + device``; 0 where a table may not lie.

    A millionth of every memory is left free, as in :func:`least_load`. ``every_device``: none is left empty.
    """
    tables, devices = len(problem.dims), problem.devices
    table, device = np.repeat(np.arange(tables), devices), np.tile(np.arange(devices), tables)
    chosen = Pieces(table, problem.dims[table], device)
    rows, low, high = _rules(problem, chosen, exact=False)
    if every_device:
        held = sp.csr_matrix((np.ones(len(table)), (device, np.arange(len(table)))), shape=(devices, len(table)))
        rows = sp.vstack([rows, held], format="csr")
        low, high = np.append(low, np.ones(devices)), np.append(high, np.full(devices, np.inf))
    return ILP.build(
        np.zeros(len(table)),
        rows,
        low,
        high,
        ub=allowed(problem).reshape(-1).astype(float),
        integer=True,
        name=f"whole tables of {problem.name}",
    )


def allowed(problem: ShardingProblem) -> Bool[np.ndarray, "tables devices"]:
    """Where each table may lie."""
    if problem.pinned is None:
        return np.ones((len(problem.dims), problem.devices), dtype=bool)
    pinned = problem.pinned[:, None]
    return (pinned == ANYWHERE) | (pinned == np.arange(problem.devices))


def least_load(
    problem: ShardingProblem, chosen: Pieces, cost: Float[np.ndarray, " candidates"], exact: bool = False
) -> AssignmentILP:
    """The plan of which the largest sum of ``cost`` on a device is least; that is its objective, in the unit of ``cost``.

    Without ``exact`` a millionth of every memory is left free, which back ends that reckon in floating-point numbers need to
    keep their tolerance within it.
    """
    count, devices = len(chosen.table), problem.devices
    rows, low, high = _rules(problem, chosen, exact)
    unit = max(float(cost.max()), 1e-300) / COST_UNITS
    units = np.rint(cost / unit)
    loads = sp.csr_matrix((units, (chosen.shard, np.arange(count))), shape=(devices, count))
    matrix = sp.bmat([[rows, None], [loads, -np.ones((devices, 1))]], format="csr")
    ilp = ILP.build(
        np.append(np.zeros(count), unit),
        matrix,
        np.append(low, np.full(devices, -np.inf)),
        np.append(high, np.zeros(devices)),
        ub=np.append(np.ones(count), units.sum()),
        integer=True,
        name=f"assignment of {problem.name}",
    )
    return AssignmentILP(ilp, chosen, problem)


def _rules(
    problem: ShardingProblem, chosen: Pieces, exact: bool
) -> tuple[sp.csr_matrix, Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """Every column lies somewhere, memory is kept, and tables have not too many pieces."""
    count, tables = len(chosen.table), len(problem.dims)
    index = np.arange(count)
    columns = sp.csr_matrix((chosen.dim, (chosen.table, index)), shape=(tables, count))
    sizes = problem.column_bytes[chosen.table] * chosen.dim
    unit = int(np.gcd.reduce(sizes))
    memory = sp.csr_matrix((sizes // unit, (chosen.shard, index)), shape=(problem.devices, count))
    room = problem.memory // unit
    if not exact:
        room = np.floor(room / (1 + FEASIBILITY))
    parts: list[tuple[sp.csr_matrix, Int[np.ndarray, " rows"] | Float[np.ndarray, " rows"], np.ndarray]] = [
        (columns, problem.dims, problem.dims),
        (memory, np.full(problem.devices, -np.inf), room),
    ]
    if problem.most_pieces is not None:
        pieces = sp.csr_matrix((np.ones(count), (chosen.table, index)), shape=(tables, count))
        parts.append((pieces, np.full(tables, -np.inf), problem.most_pieces))
    matrices, low, high = zip(*parts, strict=True)
    return sp.vstack(matrices, format="csr"), np.concatenate(low).astype(float), np.concatenate(high).astype(float)
