"""What an ``opt`` offers, by what it says of itself, and how a sequence becomes one pipeline for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_SECTION = re.compile(r"^(Module|CGSCC|Function|LoopNest|Loop) passes( with params)?:$")
_MANAGERS = {
    "Module": "{}",
    "CGSCC": "cgscc({})",
    "Function": "function({})",
    "LoopNest": "function(loop({}))",
    "Loop": "function(loop({}))",
}
_WITH_MEMORY_SSA = {"licm": "function(loop-mssa({}))", "lnicm": "function(loop-mssa({}))"}
_WISHES = ("no-verify-fixpoint",)
"""Parameters that are given where a pass takes them: without this one instcombine aborts where it could go on."""
_NOT_ACTIONS = re.compile(
    r"^(print|dot-|view-|verify|invalidate|no-op|trigger-|helloworld|aa-eval|pa-eval|lint$|instcount$|transform-warning"
    r"|annotation-remarks|count-visits|recompute-globalsaa|metarenamer|instnamer|name-anon-globals"  # they look, or name
    r"|.*san$|.*san-module|sanmd|sancov|memprof|kcfi|cfguard|cross-dso-cfi|bounds-checking|poison-checking|safe-stack"
    r"|stack-protector|.*debugify|declare-to-assign|redundant-dbg"  # they guard, or speak of debugging
    r"|insert-gcov|instrorderfile|instrprof|ctx-|pgo-|jmc-|sample-profile|pseudo-probe|ee-instrument|synthetic-counts"
    r"|cg-profile|add-discriminators|module-inline|scc-oz-module|inliner-|assign-guid"  # they count, or ask a profile
    r"|function-import|rewrite-symbols|embed-bitcode|internalize|extract-blocks|loop-extract|dxil-|lowertypetests"
    r"|wholeprogramdevirt|hipstdpar|openmp|objc|coro|gc-lowering|shadow-stack|place-safepoints|rewrite-statepoints"
    r"|strip-gc|.*-eh-prepare|x86-|amdgpu|aarch64-|arm-|hexagon|nvptx|nvvm|ppc-|riscv-|spirv|systemz-|webassembly|wasm"
    r"|bpf-|loongarch-|mips-|dx"  # they serve a linker, another language, or a machine
    r"|codegenprepare|expand-|atomic-expand|indirectbr-expand|interleaved-|select-optimize|typepromotion|hardware-loops"
    r"|pre-isel|lower-emutls|jump-table|safepoint|unify-loop-exits|structurizecfg|fix-irreducible|infer-address"
    r"|lower-ifunc|lower-global-dtors|lower-matrix|rel-lookup|global-merge|callbr-prepare|complex-deinterleaving"
    r"|function-simplification|default|lto|thinlto)"  # they prepare code, or are pipelines
)
MARK = "Module Hash:"
COUNT = "TotalInstructionCount:"
BLOCKS = "BasicBlockCount:"
_FUNCTION = re.compile(r"^Function .* Hash: ")
_BLOCK = re.compile(r"^ - .*: float = ")
_REST = re.compile(r"^([A-Z]\w+: -?\d+|Printing analysis results of .*|block-frequency-info: .*|\s*)$")
_INSTRUCTION = re.compile(r"^  [%a-z]")
LOOK = (
    "print<structural-hash>,function(print<func-properties>,print<block-freq>,"
    "invalidate<block-freq>,invalidate<branch-prob>)"  # which passes would find, and take into account
)
"""What stands before the first pass and after each: a line with :data:`MARK`, what each function has, and all its blocks."""
WHOLE = "print<structural-hash>,print"
"""In its place where that is not enough: the module itself, which is long."""


def parse_passes(printed: str) -> dict[str, str]:
    """Actions of what ``opt --print-passes`` prints: their names, sorted, and the pipeline that runs each.

    Passes that take parameters run with those that they have by themselves. Left out is what does not transform,
    instruments, prepares code for a machine, or needs a file.
    """
    found: dict[str, str] = {}
    manager: str | None = None
    for line in printed.splitlines():
        if not line.startswith(" "):
            section = _SECTION.match(line.strip())
            manager = _MANAGERS[section[1]] if section else None
        elif manager and "><" not in line:
            name, _, parameters = line.strip().partition("<")
            if not _NOT_ACTIONS.match(name):
                wished = [wish for wish in _WISHES if wish in parameters]
                said = f"{name}<{wished[0]}>" if wished else name
                found.setdefault(name, _WITH_MEMORY_SSA.get(name, manager).format(said))
    return dict(sorted(found.items()))


def pipeline(passes: Iterable[str], known: Mapping[str, str]) -> str:
    """One pipeline of passes, each in managers of its own; what is not known stands for itself (``default<Oz>``)."""
    return ",".join([known.get(name, name) for name in passes])


def looked_at(passes: Sequence[str], known: Mapping[str, str], looks: Sequence[str] | None = None) -> str:
    """The same with looks before and after each, one more than there are passes; an empty one is none."""
    looks = looks or [LOOK] * (len(passes) + 1)
    said = [looks[0]]
    for name, look in zip(passes, looks[1:], strict=True):
        said += [known.get(name, name), look]
    return ",".join(filter(None, said))


class Counter:
    """Instructions after each pass, out of the lines that ``opt`` prints at each :data:`LOOK`.

    It counts what can be reached from the entry of a function alone, and blocks tell where that is not all.

    Attributes
    ----------
    counts
        Of the steps that are known to be over.
    whole
        Whether these are all instructions.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.whole: list[bool] = []
        self._count: int | None = None
        self._functions = self._blocks = 0

    def hear(self, line: str) -> bool:
        """Take a line; whether it belongs to a look."""
        if line.startswith(MARK):
            self.end()
            self._count, self._functions, self._blocks = 0, 0, 0
        elif _FUNCTION.match(line):
            self._functions += 1
        elif line.startswith(BLOCKS):
            self._blocks += int(line[len(BLOCKS) :])
        elif _BLOCK.match(line):
            self._blocks -= 1
        elif line.startswith(COUNT):
            self._count = (self._count or 0) + int(line[len(COUNT) :])
            self._functions -= 1
        else:
            return _REST.match(line) is not None
        return True

    def end(self) -> None:
        """The step is over; it counts if all its functions have."""
        if self._count is not None and self._functions <= 0:
            self.counts.append(self._count)
            self.whole.append(self._blocks == 0)
        self._count = None


class PrintedCounter:
    """Instructions at each look at the :data:`WHOLE` module; ``counts`` as they are known."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def hear(self, line: str) -> bool:
        """Take a line; all belong to looks."""
        if line.startswith(MARK):
            self.counts.append(0)
        elif self.counts and _INSTRUCTION.match(line):
            self.counts[-1] += 1
        return True
