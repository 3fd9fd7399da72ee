"""Where the service of CompilerGym lies, and how it is laid out there: ``python -m data.compiler.compiler_gym.layout``.

Of the wheel only the service and the form of its messages are taken; CompilerGym's Python is not run. The service asks for
a compiler of C and for ``llvm-size``, to measure code that nobody wants here, so two scripts stand in for them; and for a
library that newer systems lack, so where it is absent one of four functions that do nothing is built.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runs.errors import MissingDependency, RepriseError

RELEASE = "compiler_gym==0.2.5"
WHEEL = "compiler_gym-0.2.5-py3-none-manylinux2014_x86_64.whl"
SHA256 = "49a335c925ccc493c2e1b801867986982f0c7dd500041775fa6b3247b1d54ccf"
REMEDY = "lay it out by `make compiler-gym`, or name its folder by compiler.service=FOLDER or REPRISE_COMPILER_GYM"
_PURELIB = "compiler_gym-0.2.5.data/purelib/"
_PROGRAMS = "compiler_gym/envs/llvm/service"
_TAKEN = {
    f"{_PROGRAMS}/compiler_gym-llvm-service": 0o755,
    f"{_PROGRAMS}/compute_observation": 0o755,
    f"{_PROGRAMS}/libLLVMPolly.so": 0o644,
    "compiler_gym/service/proto/compiler_gym_service_pb2.py": 0o644,
}
_LICENCE = "compiler_gym-0.2.5.dist-info/LICENSE"
_LIBRARY = "libtinfo.so.5"

_CLANG = """#!/bin/sh
# In place of a compiler: reads all, and leaves an empty file where the code should be
cat > /dev/null
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then : > "$2"; fi
  shift
done
"""
_SIZE = """#!/bin/sh
# In place of llvm-size
printf 'text\\tdata\\tbss\\tdec\\thex\\tfilename\\n1\\t1\\t1\\t3\\t3\\tnone\\n'
"""
_TERMINAL = """
int setupterm(const char *term, int file, int *error) { if (error) *error = 0; return -1; }
int tigetnum(const char *name) { return -1; }
void *set_curterm(void *terminal) { return 0; }
int del_curterm(void *terminal) { return 0; }
"""
_VERSION = "NCURSES_TINFO_5.0.19991023 { global: setupterm; tigetnum; set_curterm; del_curterm; };\n"


@dataclass(frozen=True)
class Layout:
    """A folder with the service.

    Parameters
    ----------
    folder
        Where ``make compiler-gym`` has put it.
    """

    folder: Path

    @property
    def program(self) -> Path:
        """The service."""
        return self.folder / _PROGRAMS / "compiler_gym-llvm-service"

    @property
    def descriptors(self) -> Path:
        """The module of CompilerGym that holds the form of its messages, as a constant."""
        return self.folder / "compiler_gym/service/proto/compiler_gym_service_pb2.py"

    @property
    def site(self) -> Path:
        """What the service takes for the folder that it has downloaded tools to."""
        return self.folder / "site"

    @property
    def libraries(self) -> Path:
        """Where it finds what the system lacks."""
        return self.folder / "lib"

    def environment(self) -> dict[str, str]:
        """What the service must be told."""
        paths = [str(self.libraries), os.environ.get("LD_LIBRARY_PATH", "")]
        return {
            "COMPILER_GYM_RUNFILES": str(self.folder),
            "COMPILER_GYM_SITE_DATA": str(self.site),
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths)),
            "GRPC_VERBOSITY": "NONE",
        }

    def check(self) -> Layout:
        """This, if all is there.

        Raises
        ------
        MissingDependency
            A file is missing: names it, and what to do.
        """
        for path in (self.program, self.descriptors, self.site / "llvm-v0/bin/clang"):
            if not path.is_file():
                raise MissingDependency(f"the service of LLVM 10 is not laid out in {self.folder}: no {path}; {REMEDY}")
        return self


def lay_out(folder: Path, wheel: Path | None = None) -> Layout:
    """Lay the service out; a folder that has it already is left as it is.

    Parameters
    ----------
    folder
        Appears whole, or not at all.
    wheel
        The file; None to let pip download it.

    Raises
    ------
    MissingDependency
        What is missing: a machine that the service runs on, the wheel, or a compiler of C.
    """
    layout = Layout(folder.absolute())
    try:
        return layout.check()
    except MissingDependency:
        pass
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise MissingDependency(
            f"{RELEASE} runs on Linux on x86-64 only, this is {sys.platform} on {platform.machine()}; take compiler=llvmlite"
        )
    layout.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compiler_gym.", dir=layout.folder.parent) as place:
        parts = Layout(Path(place, "parts"))
        _unpack(wheel or _downloaded(Path(place)), parts.folder)
        _stand_ins(parts.site / "llvm-v0")
        _terminal(parts.libraries)
        if layout.folder.exists():
            shutil.rmtree(layout.folder)
        parts.folder.rename(layout.folder)
    return layout


def _downloaded(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run([*command, "--dest", str(folder), RELEASE], capture_output=True, text=True, check=False)
    if done.returncode or not (folder / WHEEL).is_file():
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise MissingDependency(
            f"pip could not download {RELEASE} ({said}); fetch {WHEEL} (30 MB) by hand, and give it as --wheel FILE"
        )
    return folder / WHEEL


def _unpack(wheel: Path, folder: Path) -> None:
    if not wheel.is_file():
        raise MissingDependency(f"there is no file {wheel}; give {WHEEL}")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise MissingDependency(f"{wheel} is not {WHEEL}, or is damaged: its sha256 is {found}, not {SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        for name, mode in _TAKEN.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(_PURELIB + name))
            path.chmod(mode)
        (folder / "LICENSE").write_bytes(archive.read(_LICENCE))


def _stand_ins(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / ".unpacked").touch()
    for name, script in (("clang", _CLANG), ("llvm-size", _SIZE)):
        path = folder / "bin" / name
        path.write_text(script)
        path.chmod(0o755)


def _terminal(folder: Path) -> None:
    """Build the library that the service asks for where the system has none."""
    folder.mkdir()
    try:
        ctypes.CDLL(_LIBRARY)
        return
    except OSError:
        pass
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise MissingDependency(f"the service asks for {_LIBRARY}: install it, or a C compiler that builds a stand-in")
    source, versions = folder / "terminal.c", folder / "terminal.map"
    source.write_text(_TERMINAL)
    versions.write_text(_VERSION)
    command = [compiler, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{_LIBRARY}", f"-Wl,--version-script={versions}"]
    done = subprocess.run(
        [*command, "-o", str(folder / _LIBRARY), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MissingDependency(f"{compiler} could not build a stand-in for {_LIBRARY}: {done.stderr.strip()[:300]}")


def default_folder() -> Path:
    """Where it is laid out if nothing else is said: below the cache of the project."""
    cache = os.environ.get("REPRISE_CACHE", "outputs/cache")
    return Path(os.environ.get("REPRISE_COMPILER_GYM") or Path(cache, "compiler_gym"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Lay out the LLVM 10 service of CompilerGym.")
    parser.add_argument("folder", nargs="?", type=Path, help=f"default: {default_folder()}")
    parser.add_argument("--wheel", type=Path, help=f"{WHEEL}, where pip cannot download it")
    given = parser.parse_args(arguments)
    folder = given.folder or default_folder()
    try:
        print(f"the service of LLVM 10 is in {lay_out(folder, given.wheel).folder}")
    except RepriseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
