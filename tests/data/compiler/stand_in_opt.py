"""An ``opt`` that speaks as LLVM's does, and compiles nothing. Its modules are texts: names of functions with their counts.

``print<structural-hash>`` and ``print<func-properties>`` print what LLVM 19 prints; passes do what their names say.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from pathlib import Path

from tests.data.compiler.script import write_script

PASSES = """Module passes:
  add-function
  print
  trigger-crash
  hwasan
  verify
Module passes with params:
  drop-first<keep-names>
  print<structural-hash><detailed>
Module analyses:
  callgraph
CGSCC passes:
  argpromotion
Function passes:
  abort
  complain
  hang
  halve
  grow
  dot-cfg
  needs-parameters
Function passes with params:
  instcombine<no-verify-fixpoint;verify-fixpoint>
Function analyses:
  loops
LoopNest passes:
  loop-flatten
Loop passes:
  indvars
Loop passes with params:
  licm<allowspeculation>
Machine function passes (WIP):
  dead-mi-elimination
"""


def stand_in_opt(folder: Path, version: str = "19.1.7") -> Path:
    """Put it into a folder."""
    start = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from {__name__} import main"
    return write_script(folder / "opt", f"{start}; main({version!r})")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def look(name: str, module: dict[str, int], version: str) -> None:
    """A function with a name that begins with "dead" has an instruction that nothing reaches."""
    if name == "print<structural-hash>":
        say("Module Hash: 0000000000000001")
        for function in module:
            say(f"Function {function} Hash: 0")
    for function, count in module.items():
        dead = function.startswith("dead")
        if name == "print<func-properties>":
            say(f"Printing analysis results of CFA for function '{function}':\nBasicBlockCount: 1\nMaxLoopDepth: 0")
            say(f"TotalInstructionCount: {count - dead}\n" if not version.startswith("14") else "")
        elif name == "print<block-freq>":
            say(f"Printing analysis results of BFI for function '{function}':\nblock-frequency-info: {function}")
            say("\n".join([" - entry: float = 1.0, int = 8"] * (1 + dead)))
        elif name == "print":
            say("\n".join([f"define i32 @{function}() {{", *["  %x = add i32 1, 2"] * count, "}"]))


def run(name: str, module: dict[str, int]) -> dict[str, int]:
    if name == "add-function":
        return module | {f"more{len(module)}": 1}
    if name == "drop-first":
        return dict([*module.items()][1:])
    if name == "halve":
        return {function: count // 2 for function, count in module.items()}
    if name == "grow":
        return {function: 1000 * count for function, count in module.items()}
    if name == "default<Oz>":
        return {function: min(count, 2) for function, count in module.items()}
    if name == "needs-parameters":
        sys.exit(1)
    if name == "complain":
        say("LLVM ERROR: not today")
        sys.exit(1)
    if name == "abort":
        say("Assertion `false' failed.\nPLEASE submit a bug report")
        os.kill(os.getpid(), signal.SIGABRT)
    while name == "hang":
        resource.getrusage(resource.RUSAGE_SELF)
    return module


def main(version: str) -> None:
    """Act on the command line."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"Stand-in\n  LLVM version {version}\n  Optimized build.")
        return
    if arguments == ["--print-passes"]:
        print(PASSES, end="")
        return
    source = Path(next(argument for argument in arguments if not argument.startswith("-")))
    text = source.read_text().replace("define void @probe() {\n  ret void\n}\n", "probe 1")
    if not re.fullmatch(r"(\w+ \d+\s*)*", text):
        say(f"{sys.argv[0]}: {source}: error: expected top-level entity")
        sys.exit(1)
    words = text.split()
    module = {name: int(count) for name, count in zip(words[::2], words[1::2], strict=True)}
    passes = next(argument for argument in arguments if argument.startswith("-passes=")).partition("=")[2]
    for element in passes.split(","):
        name = re.sub(r"^(?:[\w-]+\()*([\w-]+(?:<[\w-]+>)?)\)*$", r"\1", element)
        if name.startswith("invalidate<"):
            continue
        if name.startswith("print"):
            look(name, module, version)
        elif not text.startswith("probe") or name == "needs-parameters":
            module = run(name, module)
    if "-o" in arguments:
        content = " ".join(f"{name} {count}" for name, count in module.items())
        Path(arguments[arguments.index("-o") + 1]).write_text(content)
