"""The child of the llvmlite back end: it alone reads foreign bitcode and runs passes, either of which may abort."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from data.compiler.bitcode import is_bitcode
from data.compiler.counting import instruction_counter
from data.compiler.listing import listing
from data.compiler.passes import Passes
from data.compiler.requests import ModuleWorker, Unreadable, serve
from runs import child_start
from runs.store.cache import npz_bytes

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef


def serve_llvmlite(connection: Connection) -> None:
    """What the child does; see :mod:`data.compiler.requests`."""
    serve(connection, LlvmliteWorker)


class LlvmliteWorker(ModuleWorker["ModuleRef"]):
    """Modules are those of llvmlite. It shows ``bitcode``, ``text``, ``object``, ``code_bytes``, and ``listing``."""

    def __init__(self, connection: Connection) -> None:
        import llvmlite.binding as llvm

        super().__init__(connection)
        llvm.initialize_all_targets()
        llvm.initialize_native_asmprinter()
        self.llvm = llvm
        self.counter = instruction_counter()
        self.passes: dict[str, Passes] = {}

    def read(self, digest: str, bitcode: bytes) -> ModuleRef:
        try:
            binary = is_bitcode(bitcode)
            module = self.llvm.parse_bitcode(bitcode) if binary else self.llvm.parse_assembly(bitcode.decode())
            module.verify()
            self._passes(module)
        except (RuntimeError, UnicodeDecodeError) as error:
            raise Unreadable(str(error)) from error
        return module

    def copy(self, module: ModuleRef) -> ModuleRef:
        return module.clone()

    def drop(self, module: ModuleRef) -> None:
        module.close()

    def count(self, module: ModuleRef) -> int:
        return self.counter(module)

    def step(self, name: str, module: ModuleRef) -> int:
        self._passes(module).run(name, module)
        return self.counter(module)

    def look(self, kind: str, module: ModuleRef) -> bytes:
        if kind == "listing":
            return npz_bytes(listing(module).arrays())
        if kind in ("object", "code_bytes"):
            target = self.llvm.Target.from_triple(module.triple or self.llvm.get_default_triple())
            machine = target.create_target_machine(reloc="pic", codemodel="small")
            content = machine.emit_object(module.clone())  # which it changes
            return content if kind == "object" else str(self._code_bytes(content)).encode()
        return module.as_bitcode() if kind == "bitcode" else str(module).encode()

    def worn(self) -> bool:
        return False

    def allow(self, seconds: float) -> None:
        child_start.allow(seconds)

    def _passes(self, module: ModuleRef) -> Passes:
        """Of the module's target, so that counts do not depend on the machine."""
        triple = module.triple or self.llvm.get_default_triple()
        if triple not in self.passes:
            self.passes[triple] = Passes(self.llvm.Target.from_triple(triple).create_target_machine())
        return self.passes[triple]

    def _code_bytes(self, content: bytes) -> int:
        """Of all sections of an object file that hold instructions."""
        file = self.llvm.ObjectFileRef.from_data(content)
        return sum(section.size() for section in file.sections() if section.is_text())
