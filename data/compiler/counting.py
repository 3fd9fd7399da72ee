"""Instructions of a module, counted by a loop that llvmlite compiles: 20 times faster than in the printed module.

The loop calls the iterators of llvmlite's own library. Python objects for each instruction, or text, would cost more than
most passes do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef

_LOOP = """
define i64 @instructions(ptr %module) {{
entry:
  %functions = call ptr {ModuleFunctionsIter}(ptr %module)
  br label %functions.next
functions.next:
  %before = phi i64 [ 0, %entry ], [ %in.function, %blocks.end ]
  %function = call ptr {FunctionsIterNext}(ptr %functions)
  %functions.over = icmp eq ptr %function, null
  br i1 %functions.over, label %functions.end, label %blocks.begin
blocks.begin:
  %blocks = call ptr {FunctionBlocksIter}(ptr %function)
  br label %blocks.next
blocks.next:
  %in.function = phi i64 [ %before, %blocks.begin ], [ %in.block, %instructions.end ]
  %block = call ptr {BlocksIterNext}(ptr %blocks)
  %blocks.over = icmp eq ptr %block, null
  br i1 %blocks.over, label %blocks.end, label %instructions.begin
instructions.begin:
  %instructions = call ptr {BlockInstructionsIter}(ptr %block)
  br label %instructions.next
instructions.next:
  %in.block = phi i64 [ %in.function, %instructions.begin ], [ %more, %counted ]
  %instruction = call ptr {InstructionsIterNext}(ptr %instructions)
  %instructions.over = icmp eq ptr %instruction, null
  br i1 %instructions.over, label %instructions.end, label %counted
counted:
  %more = add i64 %in.block, 1
  br label %instructions.next
instructions.end:
  call void {DisposeInstructionsIter}(ptr %instructions)
  br label %blocks.next
blocks.end:
  call void {DisposeBlocksIter}(ptr %blocks)
  br label %functions.next
functions.end:
  call void {DisposeFunctionsIter}(ptr %functions)
  ret i64 %before
}}
"""
_CALLED = (
    "ModuleFunctionsIter",
    "FunctionsIterNext",
    "FunctionBlocksIter",
    "BlocksIterNext",
    "BlockInstructionsIter",
    "InstructionsIterNext",
    "DisposeInstructionsIter",
    "DisposeBlocksIter",
    "DisposeFunctionsIter",
)


def instruction_counter() -> Callable[[ModuleRef], int]:
    """A function from a module to the number of instructions of all functions that it defines.

    The native target and its assembly printer must be initialised.
    """
    import llvmlite.binding as llvm

    library = ctypes.CDLL(str(next(Path(llvm.__file__).parent.glob("*llvmlite.*"))))
    addresses = {name: ctypes.cast(getattr(library, f"LLVMPY_{name}"), ctypes.c_void_p).value for name in _CALLED}
    loop = llvm.parse_assembly(
        _LOOP.format_map({name: f"inttoptr (i64 {address} to ptr)" for name, address in addresses.items()})
    )
    engine = llvm.create_mcjit_compiler(loop, llvm.Target.from_default_triple().create_target_machine())
    engine.finalize_object()
    compiled = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address("instructions"))

    def count(module: ModuleRef, engine: llvm.ExecutionEngine = engine) -> int:  # the engine owns the code
        return compiled(module)

    return count
