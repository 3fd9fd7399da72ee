"""What becomes of a module in the end: machine code (docs/papers/pass_order.md#8)."""

from __future__ import annotations

from data.compiler.embedded import LlvmliteCompiler


def object_file(bitcode: bytes, compiler: LlvmliteCompiler, name: str = "program") -> bytes:
    """The module as an object file of its target, by LLVM's code generation at its default level.

    Raises
    ------
    InvalidProblem
        LLVM cannot read it, or has no code for something in it.
    """
    return compiler.load(bitcode, name).show("object")


def code_bytes(bitcode: bytes, compiler: LlvmliteCompiler, name: str = "program") -> int:
    """Bytes of its machine code: of all sections that hold instructions.

    Raises
    ------
    InvalidProblem
        As for :func:`object_file`.
    """
    return int(compiler.load(bitcode, name).show("code_bytes"))
