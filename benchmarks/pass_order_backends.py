"""Sequences of passes: prefixes shared in one process, against a process for each; LLVM 10 against CompilerGym's way."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from data.compiler.base import Actions, Compiler, indices
from data.compiler.compiler_gym.compiler import ServiceCompiler
from data.compiler.compiler_gym.layout import Layout, default_folder
from data.compiler.compiler_gym.service import Service
from data.compiler.contained import ContainedCompiler
from data.compiler.corpus import read_corpus
from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.opt.compiler import OptCompiler
from data.compiler.opt.passes import looked_at
from data.compiler.program import Program
from runs import child
from runs.errors import ConfigError, InvalidProblem, MissingDependency

REPEATS = {"toy": 1, "small": 3, "paper": 5}
PROGRAMS = {"toy": 1, "small": 8, "paper": 100}
SEQUENCES = {"toy": 4, "small": 20, "paper": 50}
LENGTH = 12
FASTER = 4
PASSES = {  # of llvmlite, and the same of opt
    "aggressive_dce": "adce",
    "constant_merge": "constmerge",
    "dead_code_elimination": "dce",
    "global_opt": "globalopt",
    "instruction_combine": "instcombine",
    "ipsccp": "ipsccp",
    "jump_threading": "jump-threading",
    "loop_deletion": "loop-deletion",
    "loop_rotate": "loop-rotate",
    "loop_unroll": "loop-unroll",
    "mem_copy_opt": "memcpyopt",
    "new_gvn": "newgvn",
    "reassociate": "reassociate",
    "sccp": "sccp",
    "simplify_cfg": "simplifycfg",
    "sinking": "sink",
    "sroa": "sroa",
    "tail_call_elimination": "tailcallelim",
}
SHARED, ALONE, OPT = "llvmlite, prefixes shared (ours)", "llvmlite, sequence by sequence", "opt, a process each"
SERVICE, RESET = "the service, prefixes shared (ours)", "reset, then step by step"
MATRIX = "all sequences"


def cases(size: str) -> Iterator[Case]:
    """Random sequences on programs of the corpus, or drawn ones where it is not there."""
    rng = np.random.default_rng(0)
    sequences = [tuple(rng.integers(len(PASSES), size=LENGTH).tolist()) for _ in range(SEQUENCES[size])]
    what = f"{PROGRAMS[size]} programs x {SEQUENCES[size]} sequences of {LENGTH}"
    with LlvmliteCompiler("single") as llvmlite:
        programs = _programs(size, llvmlite)
        known = indices(llvmlite, [*PASSES])
    ours = [tuple(known[action] for action in sequence) for sequence in sequences]
    make = functools.partial(LlvmliteCompiler, "single")
    runs = {ALONE: _together(make, programs, ours, part=1), SHARED: _together(make, programs, ours)}
    baseline, targets = ALONE, []
    try:
        opt = OptCompiler()
        runs = {OPT: _processes(opt, programs, sequences), **runs}
        baseline, targets = OPT, [Target(SHARED, MATRIX, CPU, 1 / FASTER)]
    except MissingDependency as error:
        print(f"opt is not compared with: {error}")
    yield Case(what, runs, baseline, targets)
    try:
        service = ServiceCompiler(default_folder())
    except MissingDependency as error:
        print(f"the service is not compared with: {error}")
        return
    with service:
        programs = _programs(size, service)
        sequences = [tuple(rng.integers(len(service.actions), size=LENGTH).tolist()) for _ in range(SEQUENCES[size])]
    make_service = functools.partial(ServiceCompiler, service.layout.folder)
    ways = {RESET: _reset(service.layout, programs, sequences), SERVICE: _together(make_service, programs, sequences)}
    yield Case(f"LLVM 10, {what}", ways, RESET, [Target(SERVICE, MATRIX, WALL, 1.05)])


def _programs(size: str, compiler: Compiler) -> list[Program]:
    try:
        programs = read_corpus(Path(os.environ.get("REPRISE_DATA", "datasets"), "compiler"), "test")
    except ConfigError:
        programs = drawn_programs(PROGRAMS[size])
    small = [program for program in programs if 2000 < len(program.bitcode) < 20_000 or program.family == "drawn"]
    chosen = np.random.default_rng(1).permutation(len(small))
    found: list[Program] = []
    for i in chosen.tolist():
        if len(found) < PROGRAMS[size] and compiler.load(small[i].bitcode, small[i].name).count() >= 50:
            found.append(small[i])
    return found


def _spent() -> float:
    """CPU seconds of this process, and of all that it has started, whether that has ended or not."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _together(
    make: Callable[[], ContainedCompiler],
    programs: Sequence[Program],
    sequences: Sequence[Actions],
    part: int | None = None,
) -> Callable[[Probe], None]:
    """So many sequences at once, or all; each program is read in the time that counts."""

    def run(probe: Probe) -> None:
        with make() as compiler:
            with contextlib.suppress(InvalidProblem):
                compiler.load(b"define void @f() {\n  ret void\n}\n")  # starts the child
            with _measured(probe):
                for program in programs:
                    for first in range(0, len(sequences), part or len(sequences)):
                        some = sequences[first : first + (part or len(sequences))]
                        compiler.trajectories(program.bitcode, some, program.name)

    return run


def _processes(opt: OptCompiler, programs: Sequence[Program], sequences: Sequence[Actions]) -> Callable[[Probe], None]:
    """What a script does: no limits, and nothing read of what it prints."""
    names = list(PASSES.values())

    def run(probe: Probe) -> None:
        with tempfile.TemporaryDirectory() as folder, _measured(probe):
            source = Path(folder, "program.bc")
            for program in programs:
                source.write_bytes(program.bitcode)
                for sequence in sequences:
                    passes = looked_at([names[action] for action in sequence], opt.known)
                    command = [opt.opt, "-disable-output", f"-passes={passes}", str(source)]
                    subprocess.run(command, check=False, capture_output=True)
        probe.note = opt.fingerprint.version

    return run


def _reset(layout: Layout, programs: Sequence[Program], sequences: Sequence[Actions]) -> Callable[[Probe], None]:
    """CompilerGym's ``reset`` forks a session that it keeps for the program; ``step`` asks for one pass and its count."""

    def run(probe: Probe) -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            child.serving(serve_reset_and_step, limits=child.Limits()) as (_, connection),
        ):
            connection.send((str(layout.folder), folder))
            connection.recv()
            with _measured(probe):
                connection.send(([program.bitcode for program in programs], list(sequences)))
                connection.recv()

    return run


def serve_reset_and_step(connection: Connection) -> None:
    """In a child, since its channel survives no fork."""
    folder, work = connection.recv()
    service = Service(Layout(Path(folder)), Path(work))
    names = list(service.actions)
    connection.send("ready")
    programs, sequences = connection.recv()
    for number, bitcode in enumerate(programs):
        kept = service.start(str(number), bitcode)
        for sequence in sequences:
            session = service.fork(kept)
            for action in sequence:
                service.count(session, [names[action]])
            service.end(session)
    connection.send("done")
    connection.recv()


@contextlib.contextmanager
def _measured(probe: Probe) -> Iterator[None]:
    wall, spent = time.perf_counter(), _spent()
    yield
    probe.value(MATRIX, time.perf_counter() - wall, WALL)
    probe.value(MATRIX, _spent() - spent, CPU)
