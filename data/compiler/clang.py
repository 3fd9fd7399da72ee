"""C to bitcode that passes have not seen: by clang on the PATH, or by that of the ``ziglang`` wheel."""

from __future__ import annotations

import importlib.util
import platform
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runs import child
from runs.errors import ConfigError, InvalidProblem, MissingDependency, installing
from runs.text import one_line, shortened

UNOPTIMISED = ("-O1", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c")
"""Nothing is optimised, and all may be: at -O0 functions would forbid it."""
_OURS = ("-g0", "-w", "-ferror-limit=1", "-fno-color-diagnostics", "-fno-caret-diagnostics")
_SECONDS = 120.0
_LIMITS = child.Limits(cpu_seconds=60.0, output_bytes=1 << 28)


@dataclass(frozen=True)
class Clang:
    """Compiles C.

    Parameters
    ----------
    program
        On the PATH or by its path; None for ``clang``, else what the extra ``c`` brings.
    flags
        As in a shell: ``-Iinclude -DNDEBUG``; paths are relative to where the command is run.

    Raises
    ------
    ConfigError
        A quote in ``flags`` is not closed.
    """

    program: str | None = None
    flags: str = ""

    def __post_init__(self) -> None:
        try:
            shlex.split(self.flags)
        except ValueError as error:
            raise ConfigError(f"data.flags: {self.flags} cannot be taken apart ({error})") from error

    def command(self) -> list[str]:
        """The program, with what it needs to be a clang for this machine.

        Raises
        ------
        MissingDependency
            There is none.
        """
        if self.program or shutil.which("clang"):
            return [self.program or "clang"]
        if importlib.util.find_spec("ziglang"):
            return [
                sys.executable,
                "-m",
                "ziglang",
                "cc",
                "-target",
                f"{platform.machine()}-linux-gnu",
                "-fno-sanitize=all",
            ]
        raise MissingDependency(
            "C is compiled by clang, and there is none: install it, name one by data.clang=FILE, or take the extra 'c': "
            f"{installing('c')}; or give bitcode, made by `clang {' '.join(UNOPTIMISED)}`"
        )

    def bitcode(self, source: Path) -> bytes:
        """A file of C as bitcode.

        Raises
        ------
        MissingDependency
            There is no clang.
        InvalidProblem
            clang refuses it: names its first error.
        """
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "module.bc")
            command = [*self.command(), *UNOPTIMISED, *_OURS, *shlex.split(self.flags), str(source), "-o", str(output)]
            caches = {f"ZIG_{which}_CACHE_DIR": folder for which in ("GLOBAL", "LOCAL")}
            try:
                child.run(
                    command,
                    seconds=_SECONDS,
                    limits=_LIMITS,
                    environment=child.bare_environment(**caches),
                    remedy="name a clang by data.clang=FILE",
                )
                return output.read_bytes()
            except child.ChildFailure as error:
                raise InvalidProblem(f"clang cannot compile it ({_first_error(error)}); see data.flags") from error
            except OSError as error:
                raise InvalidProblem(f"clang leaves no bitcode of it ({error.strerror}); see data.flags") from error


def _first_error(failure: child.ChildFailure) -> str:
    said = failure.printed.errors.decode(errors="replace").splitlines()
    first = next((line for line in said if "error:" in line), None)
    return shortened(one_line(first), 300) if first else str(failure)
