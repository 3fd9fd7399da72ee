"""A module as flat arrays: one walk over functions, blocks, instructions and operands; what follows is numpy."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef, ValueRef

INSTRUCTION, ARGUMENT, CONSTANT, FUNCTION = range(4)
"""Where an operand comes from; labels, metadata, assembly and callees are no operands here."""
NEITHER = -1
_CALLS = ("call", "invoke", "callbr")
_CASE = re.compile(r"(i\d+) (-?\d+|true|false), label")


@dataclass(frozen=True, eq=False)
class Listing:
    """What a module consists of. Types are texts, all else are indices, in the order of the module.

    Parameters
    ----------
    types
        (types,) texts.
    opcodes
        (opcodes,) texts.
    declared
        (functions,) whether a function has no body here.
    returns_integer
        (functions,).
    argument_function, argument_type
        (arguments,) of functions with a body.
    block_function
        (blocks,).
    block, opcode, result
        (instructions,) the block, the opcode, and the type of the result of each.
    callee
        (instructions,) the function that is called directly, or -1.
    user, position, origin, source
        (operands,) the instruction that uses it, its place among the operands, where it comes from, and which it is there.
    constant_type, bits, value
        (constants,) each once; the width of integers, else 0; the value of those that are 0 or 1, else -1.
    terminator, successor
        (edges,) instruction and block.
    """

    types: np.ndarray
    opcodes: np.ndarray
    declared: Bool[np.ndarray, " functions"]
    returns_integer: Bool[np.ndarray, " functions"]
    argument_function: Int[np.ndarray, " arguments"]
    argument_type: Int[np.ndarray, " arguments"]
    block_function: Int[np.ndarray, " blocks"]
    block: Int[np.ndarray, " instructions"]
    opcode: Int[np.ndarray, " instructions"]
    result: Int[np.ndarray, " instructions"]
    callee: Int[np.ndarray, " instructions"]
    user: Int[np.ndarray, " operands"]
    position: Int[np.ndarray, " operands"]
    origin: Int[np.ndarray, " operands"]
    source: Int[np.ndarray, " operands"]
    constant_type: Int[np.ndarray, " constants"]
    bits: Int[np.ndarray, " constants"]
    value: Int[np.ndarray, " constants"]
    terminator: Int[np.ndarray, " edges"]
    successor: Int[np.ndarray, " edges"]

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def opcode_is(self, *names: str) -> Bool[np.ndarray, " instructions"]:
        """Which instructions have one of these opcodes."""
        return np.isin(self.opcodes, names)[self.opcode]


_TEXTS = ("types", "opcodes")
_FLAGS = ("declared", "returns_integer")


def listing(module: ModuleRef) -> Listing:
    """Walk over a module; in a child process only."""
    walk = _Walk()
    walk.module(module)
    numbers = {
        name: np.array(column, bool if name in ("declared", "returns_integer") else np.int64)
        for name, column in walk.columns.items()
    }
    return Listing(types=np.array(walk.types, dtype=str), opcodes=np.array([*walk.opcodes], dtype=str), **numbers)


class _Walk:
    """Columns as they grow; values are told apart by their addresses."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.opcodes: dict[str, int] = {}
        names = [field.name for field in fields(Listing) if field.name not in ("types", "opcodes")]
        self.columns: dict[str, list[int]] = {name: [] for name in names}
        self._type_numbers: dict[int | str, int] = {}
        self._functions: dict[int, int] = {}
        self._signatures: list[str] = []
        self._blocks: dict[int, int] = {}
        self._constants: dict[int | tuple[str, int], int] = {}

    def _add(self, **row: int) -> int:
        """A row of some columns, by its number."""
        for name, value in row.items():
            self.columns[name].append(value)
        return len(self.columns[name]) - 1

    def module(self, module: ModuleRef) -> None:
        functions = list(module.functions)
        for function in functions:
            signature = str(function.global_value_type)
            self._signatures.append(signature)
            integer = re.match(r"i\d+ ", signature) is not None
            self._functions[hash(function)] = self._add(declared=function.is_declaration, returns_integer=integer)
        for number, function in enumerate(functions):
            if not function.is_declaration:
                self._function(number, function)

    def _function(self, number: int, function: ValueRef) -> None:
        sources = {}
        for argument in function.arguments:
            row = self._add(argument_function=number, argument_type=self._type(argument))
            sources[hash(argument)] = ARGUMENT, row
        found = []
        for block in function.blocks:
            place = self._blocks[hash(block)] = self._add(block_function=number)
            for instruction in block.instructions:
                opcode = self.opcodes.setdefault(instruction.opcode, len(self.opcodes))
                row = self._add(block=place, opcode=opcode, result=self._type(instruction))
                sources[hash(instruction)] = INSTRUCTION, row
                found.append((row, instruction))
        for row, instruction in found:
            self._instruction(row, instruction, sources)

    def _instruction(self, row: int, instruction: ValueRef, sources: dict[int, tuple[int, int]]) -> None:
        opcode = instruction.opcode
        operands = list(instruction.operands)
        self._add(callee=self._called(instruction, operands) if opcode in _CALLS else NEITHER)
        for position, operand in enumerate(operands):
            key = hash(operand)
            if key in sources:
                self._use(row, position, *sources[key])
            elif key in self._blocks:
                self._add(terminator=row, successor=self._blocks[key])
            elif key in self._functions:
                self._use(row, position, FUNCTION, self._functions[key])
            elif key in self._constants or operand.is_constant:
                self._use(row, position, CONSTANT, self._constant(key, operand))
        if opcode == "switch":  # this LLVM keeps the cases apart from the operands
            for i, (kind, text) in enumerate(_CASE.findall(str(instruction).partition("[")[2])):
                value = text == "true" if text in ("true", "false") else int(text)
                self._use(row, 2 + 2 * i, CONSTANT, self._integer(kind, value))

    def _called(self, instruction: ValueRef, operands: list[ValueRef]) -> int:
        """Takes the callee from the operands; a function called as one of another type is none that is called directly."""
        number = self._functions.get(hash(operands.pop()), NEITHER)
        if number == NEITHER:
            return NEITHER
        signature = self._signatures[number]
        if signature.endswith("...)"):
            return number if f" {signature} @" in str(instruction) else NEITHER
        arguments = [operand for operand in operands if hash(operand) not in self._blocks]
        types = ", ".join(self.types[self._type(argument)] for argument in arguments)
        return number if signature == f"{self.types[self._type(instruction)]} ({types})" else NEITHER

    def _use(self, row: int, position: int, origin: int, source: int) -> None:
        self._add(user=row, position=position, origin=origin, source=source)

    def _constant(self, key: int, operand: ValueRef) -> int:
        if key not in self._constants:
            number = self._type(operand)
            kind = self.types[number]
            if operand.value_kind.name == "constant_int" and re.fullmatch(r"i\d+", kind):
                self._constants[key] = self._integer(kind, operand.get_constant_value())
            else:
                self._constants[key] = self._add(constant_type=number, bits=0, value=-1)
        return self._constants[key]

    def _integer(self, kind: str, value: int) -> int:
        bits = int(kind[1:])
        value %= 1 << bits
        if (kind, value) not in self._constants:
            shown = value if value in (0, 1) else -1
            self._constants[kind, value] = self._add(constant_type=self._named(kind), bits=bits, value=shown)
        return self._constants[kind, value]

    def _type(self, value: ValueRef) -> int:
        kind = value.type
        key = hash(kind)
        if key not in self._type_numbers:
            self._type_numbers[key] = self._named(str(kind).partition(" = type")[0])  # of structures the name
        return self._type_numbers[key]

    def _named(self, text: str) -> int:
        if text not in self._type_numbers:
            self._type_numbers[text] = len(self.types)
            self.types.append(text)
        return self._type_numbers[text]
