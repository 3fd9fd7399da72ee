"""Programs made up by chance, so that nothing needs a file: IR as a compiler writes it that optimises nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.compiler.program import Program
from runs.errors import at_least, require

TRIPLE = "x86_64-unknown-linux-gnu"
_BINARY = ("add", "sub", "mul", "and_", "or_", "xor", "shl", "lshr")
_COMPARED = ("<", "<=", "==", "!=", ">", ">=")
_ARRAY = 16
_DEPTH = 2


def drawn_programs(count: int, seed: int = 0, functions: int = 3, statements: int = 8) -> tuple[Program, ...]:
    """Programs ``drawn/0000`` and on; the same for the same seed.

    Parameters
    ----------
    count
        How many.
    seed
        Of all of them; a program depends on its number besides.
    functions
        At most, in each; later ones call earlier ones.
    statements
        At most, in a block of a function.

    Raises
    ------
    ConfigError
        A number is too small.
    MissingDependency
        llvmlite is absent.
    """
    at_least("data.", count=(count, 1), seed=(seed, 0), functions=(functions, 1), statements=(statements, 1))
    return tuple(
        Program(f"drawn/{i:04d}", "drawn", _text(np.random.default_rng([seed, i]), functions, statements).encode())
        for i in range(count)
    )


def _text(rng: np.random.Generator, functions: int, statements: int) -> str:
    ir = require("llvmlite.ir", "compiler")
    module = ir.Module("drawn")
    module.triple = TRIPLE
    word = ir.IntType(32)
    kind = ir.FunctionType(word, [word, word, word.as_pointer()])
    earlier: list[Any] = []
    for i in range(int(rng.integers(1, functions + 1))):
        function = ir.Function(module, kind, f"f{i}")
        if i + 1 < functions and rng.random() < 0.5:
            function.linkage = "internal"
        _Body(ir, function, earlier, rng).write(statements)
        earlier.append(function)
    earlier[-1].linkage = ""
    return str(module)


class _Body:
    """One function: variables in memory, statements that read and write them."""

    def __init__(self, ir: Any, function: Any, earlier: list[Any], rng: np.random.Generator) -> None:
        self.ir, self.rng, self.earlier = ir, rng, earlier
        self.word = ir.IntType(32)
        self.build = ir.IRBuilder(function.append_basic_block("entry"))
        self.array = function.args[2]
        self.variables = [self.build.alloca(self.word) for _ in range(int(rng.integers(2, 5)))]
        for variable, value in zip(
            self.variables, [*function.args[:2], self.constant(), self.constant()], strict=False
        ):
            self.build.store(value, variable)

    def write(self, statements: int) -> None:
        self.block(statements, 0)
        self.build.ret(self.value(1))

    def block(self, statements: int, depth: int) -> None:
        for _ in range(int(self.rng.integers(1, statements + 1))):
            kinds = ["assign", "assign", "put", *(["choose", "repeat"] if depth < _DEPTH else [])]
            kinds += ["call"] if self.earlier else []
            getattr(self, f"_{kinds[self.rng.integers(len(kinds))]}")(max(1, statements // 2), depth)

    def _assign(self, statements: int, depth: int) -> None:
        self.build.store(self.value(2), self.variable())

    def _put(self, statements: int, depth: int) -> None:
        self.build.store(self.value(1), self.element())

    def _call(self, statements: int, depth: int) -> None:
        called = self.earlier[self.rng.integers(len(self.earlier))]
        self.build.store(self.build.call(called, [self.value(0), self.value(0), self.array]), self.variable())

    def _choose(self, statements: int, depth: int) -> None:
        compared = _COMPARED[self.rng.integers(len(_COMPARED))]
        condition = self.build.icmp_signed(compared, self.value(1), self.value(0))
        with self.build.if_else(condition) as (then, otherwise):
            with then:
                self.block(statements, depth + 1)
            with otherwise:
                self.block(statements, depth + 1)

    def _repeat(self, statements: int, depth: int) -> None:
        index = self.build.alloca(self.word)
        self.build.store(self.word(0), index)
        test, body, after = (self.build.append_basic_block(name) for name in ("test", "body", "after"))
        self.build.branch(test)
        self.build.position_at_end(test)
        turns = self.word(int(self.rng.integers(2, _ARRAY)))
        self.build.cbranch(self.build.icmp_signed("<", self.build.load(index), turns), body, after)
        self.build.position_at_end(body)
        self.variables.append(index)  # read, and by chance written, in the loop
        self.block(statements, depth + 1)
        self.variables.remove(index)
        self.build.store(self.build.add(self.build.load(index), self.word(1)), index)
        self.build.branch(test)
        self.build.position_at_end(after)

    def value(self, depth: int) -> Any:
        if depth and self.rng.random() < 0.7:
            operation = getattr(self.build, _BINARY[self.rng.integers(len(_BINARY))])
            return operation(self.value(depth - 1), self.value(depth - 1))
        kind = self.rng.random()
        if kind < 0.3:
            return self.constant()
        return self.build.load(self.variable() if kind < 0.8 else self.element())

    def constant(self) -> Any:
        return self.word(int(self.rng.choice([0, 1, 2, 4, 7, 100])))

    def variable(self) -> Any:
        return self.variables[self.rng.integers(len(self.variables))]

    def element(self) -> Any:
        place = self.build.and_(self.build.load(self.variable()), self.word(_ARRAY - 1))
        return self.build.gep(self.array, [place])
