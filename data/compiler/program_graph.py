"""The graph of a program: its control, its data and its calls (docs/papers/pass_order.md#2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from data.compiler.listing import ARGUMENT, CONSTANT, INSTRUCTION, NEITHER, Listing
from data.graphs.relational import RelationalGraph

RELATIONS = ("control", "data", "call")
INSTRUCTION_NODE, VARIABLE_NODE, CONSTANT_NODE = range(3)
EXTERNAL = "[external]"
UNDEFINED = "; undefined function"
_STRUCTURE = re.compile(r'^<?{.*}>?$|%(?:"[^"]*"|[-\w$.]+)')


@dataclass(frozen=True, eq=False)
class ProgramGraph:
    """A graph whose nodes have texts.

    Parameters
    ----------
    graph
        Relations are :data:`RELATIONS`. Node features: ``text``, an index into ``texts``; ``type``, 0 for instructions, 1
        for variables, 2 for constants; ``function`` and ``block``. Edge feature: ``position`` among the operands.
    texts
        Each once.
    """

    graph: RelationalGraph
    texts: tuple[str, ...]

    @property
    def block_order(self) -> np.ndarray:
        """(edges,) whether an edge leads to an earlier block (1), within one (0), or to a later one (-1)."""
        block = self.graph.node_features["block"]
        return np.sign(block[self.graph.source] - block[self.graph.target])


def program_graph(module: Listing) -> ProgramGraph:
    """The graph of a module, as ProGraML builds it.

    Nodes are what is outside (number 0), instructions, functions that are only declared, variables, and constants. Each use
    of an instruction's result has a variable of its own; arguments that are used have one each.

    References
    ----------
    Cummins et al., ProGraML: a graph-based program representation for data flow analysis and compiler optimizations, ICML
    2021.
    """
    instructions = len(module.block)
    undefined = np.flatnonzero(module.declared)
    of_result = module.origin == INSTRUCTION
    used_arguments = np.unique(module.source[module.origin == ARGUMENT])
    constants = len(module.bits)
    first = np.cumsum([1, instructions, len(undefined), int(of_result.sum()), len(used_arguments), constants])
    instruction, callee, variable, argument, constant, nodes = first.tolist()

    source = np.full(len(module.user), NEITHER)  # the node that a user takes its operand from; functions are none
    source[of_result] = variable + np.arange(of_result.sum())
    is_argument = module.origin == ARGUMENT
    source[is_argument] = argument + np.searchsorted(used_arguments, module.source[is_argument])
    source[module.origin == CONSTANT] = constant + module.source[module.origin == CONSTANT]

    control = _control(module)
    data = (
        np.concatenate([source[source != NEITHER], instruction + module.source[of_result]]),
        np.concatenate([instruction + module.user[source != NEITHER], source[of_result]]),
    )
    positions = np.concatenate([module.position[source != NEITHER], np.zeros(of_result.sum(), np.int64)])
    call = _calls(module, instruction, callee, undefined)
    texts, text = _texts(module, len(undefined), of_result, used_arguments)
    function = module.block_function[module.block]
    ends = np.searchsorted(module.block_function, np.arange(len(module.declared)), side="right")
    argument_function = module.argument_function[used_arguments]
    graph = RelationalGraph.of(
        nodes,
        {"control": (instruction + control[0], instruction + control[1]), "data": data, "call": call},
        {
            "text": text,
            "type": np.repeat(
                [INSTRUCTION_NODE, VARIABLE_NODE, CONSTANT_NODE], [variable, constant - variable, constants]
            ),
            "function": np.concatenate(
                [
                    [0],
                    function,
                    undefined,
                    function[module.user[of_result]],
                    argument_function,
                    np.zeros(constants, int),
                ]
            ),
            "block": np.concatenate(
                [
                    [0],
                    module.block,
                    np.zeros(len(undefined), int),
                    module.block[module.user[of_result]],
                    ends[argument_function],
                    np.full(constants, len(module.block_function)),
                ]
            ),
        },
        {
            "control": {"position": np.zeros(len(control[0]), np.int64)},
            "data": {"position": positions},
            "call": {"position": np.zeros(len(call[0]), np.int64)},
        },
    )
    return ProgramGraph(graph, texts)


def _control(module: Listing) -> tuple[np.ndarray, np.ndarray]:
    """From each instruction to the next of its block, and from a terminator that is reached to the successors' first."""
    inside = np.flatnonzero(module.block[1:] == module.block[:-1])
    starts = np.searchsorted(module.block, np.arange(len(module.block_function)))
    followed = _reached(module)[module.block[module.terminator]]
    return (
        np.concatenate([inside, module.terminator[followed]]),
        np.concatenate([inside + 1, starts[module.successor[followed]]]),
    )


def _reached(module: Listing) -> np.ndarray:
    """(blocks,) whether control can come there from the entry of its function: ProGraML follows no other block."""
    reached = np.zeros(len(module.block_function), bool)
    reached[np.unique(module.block_function, return_index=True)[1]] = True
    source = module.block[module.terminator]
    while len(new := module.successor[reached[source] & ~reached[module.successor]]):
        reached[new] = True
    return reached


def _calls(module: Listing, instruction: int, callee: int, undefined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between what is outside and each function, and between calls and what they call, both ways."""
    blocks = np.arange(len(module.block_function))
    starts = np.searchsorted(module.block, blocks)
    function_starts = np.searchsorted(module.block_function, np.arange(len(module.declared)))
    defined = np.flatnonzero(~module.declared)
    entry = np.full(len(module.declared), -1)
    entry[defined] = instruction + starts[function_starts[defined]]
    entry[undefined] = callee + np.arange(len(undefined))
    last = np.searchsorted(module.block, blocks, side="right") - 1
    exits = last[~np.isin(last, module.terminator)]  # returns, and what is never passed
    exit_function = module.block_function[module.block[exits]]
    calls = np.flatnonzero(module.callee != NEITHER)
    called = module.callee[calls]
    # A function that is only declared is its own exit
    ends = np.concatenate([instruction + exits, entry[undefined]])
    end_function = np.concatenate([exit_function, undefined])
    pairs = [
        (instruction + call, end) for call, f in zip(calls, called, strict=True) for end in ends[end_function == f]
    ]
    back = np.array(pairs, np.int64).reshape(-1, 2)
    return (
        np.concatenate([np.zeros(len(entry), int), ends, instruction + calls, back[:, 1]]),
        np.concatenate([entry, np.zeros(len(ends), int), entry[called], back[:, 0]]),
    )


def _texts(
    module: Listing, undefined: int, of_result: np.ndarray, used_arguments: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct texts, and (nodes,) the index of each node's."""
    types = np.array([_STRUCTURE.sub("struct", text) for text in module.types.tolist()], dtype=str)
    column = np.concatenate(
        [
            [EXTERNAL],
            module.opcodes[module.opcode],
            np.full(undefined, UNDEFINED),
            types[module.result[module.source[of_result]]],
            types[module.argument_type[used_arguments]],
            types[module.constant_type],
        ]
    )
    distinct, index = np.unique(column, return_inverse=True)
    return tuple(distinct.tolist()), index.astype(np.int64)
