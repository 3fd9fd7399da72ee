from __future__ import annotations

import llvmlite.binding as llvm
import pytest

from data.compiler import passes
from data.compiler.counting import instruction_counter
from data.compiler.passes import Passes, action_names
from tests.data.compiler.modules import SUM


def counts(names: list[str]) -> list[int]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    runner, counter = Passes(machine), instruction_counter()
    found = []
    for name in names:
        module = llvm.parse_assembly(SUM.decode())
        runner.run(name, module)
        found.append(counter(module))
    return found


def test_passes_do_the_same_whenever_builders_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder keeps callbacks of all its runs, so that passes become slower; new ones change nothing else."""
    names = [*action_names("pipeline")] * 2
    first = counts(names)
    monkeypatch.setattr(passes, "RUNS", 3)
    assert counts(names) == first
