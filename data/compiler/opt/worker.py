"""The child of the ``opt`` back end: it starts one ``opt`` for each sequence, reads its counts, and ends as it ends."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from data.compiler.bitcode import producer
from data.compiler.listing import listing
from data.compiler.opt.passes import WHOLE, Counter, PrintedCounter, looked_at
from data.compiler.requests import DONE, GROWN, HELD, LOADED, SKIPPED, STEP, Node, say, serve
from runs import child, child_start
from runs.errors import RepriseError, SolverFailure
from runs.store.cache import npz_bytes
from runs.text import one_line, shortened

_WALL = 10.0


def serve_opt(connection: Connection) -> None:
    """What the child does; see :mod:`data.compiler.requests`."""
    try:
        serve(connection, OptWorker)
    except RepriseError as error:
        sys.exit(str(error))


class OptWorker:
    """A module is the program and the passes that lead to it: each time all are run. It shows ``bitcode``, ``text`` and
    ``listing``, the arrays as ``.npz``, for which llvmlite reads the bitcode.

    Parameters
    ----------
    program
        The ``opt``.
    known
        What each action runs.
    folder
        Where files may lie.
    """

    def __init__(self, connection: Connection, program: str, known: Mapping[str, str], folder: str) -> None:
        self.connection = connection
        self.program = program
        self.known = known
        self.folder = Path(folder)
        self.loaded: OrderedDict[str, Path] = OrderedDict()
        self.held: OrderedDict[tuple[str, tuple[str, ...]], tuple[int, bytes]] = OrderedDict()

    def load(self, seconds: float, digest: str, bitcode: bytes) -> None:
        path = self.folder / digest
        path.write_bytes(bitcode)
        said: list[str] = []
        counts, code = self._counts(seconds, path, (), complain=said.append)
        if code < 0:
            child_start.end_as(code)
        if code:
            path.unlink()
            words = one_line(" ".join(said))
            say(self.connection, {"error": shortened(words.partition("error: ")[2] or words, 300)})
            return
        self.loaded[digest] = path
        while len(self.loaded) > LOADED:
            self.loaded.popitem(last=False)[1].unlink()
        say(self.connection, {"count": counts[0], "worn": False})

    def walk(self, seconds: float, digest: str, most: int, nodes: list[Node]) -> None:
        """One process for each sequence that none of the others begins with; what is shared is told once."""
        parents = {node: parent for node, parent, _ in nodes}
        names = {node: name for node, _, name in nodes}
        inner = set(parents.values())
        reached = {-1}
        lost: set[int] = set()
        for leaf in (node for node in parents if node not in inner):
            path = [leaf]
            while parents[path[0]] >= 0:
                path.insert(0, parents[path[0]])
            counts: list[int] = []
            code = 0
            if not lost.intersection(path):
                counts, code = self._counts(seconds, self.loaded[digest], [names[node] for node in path])
            for place, node in enumerate(path, start=1):
                if node in reached:
                    continue
                reached.add(node)
                count = SKIPPED
                if not lost.intersection(path):
                    count = self._told(counts, place, code)
                if count > most:
                    lost.add(node)
                    count = GROWN
                self.connection.send_bytes(STEP.pack(node, count))
        self.connection.send_bytes(DONE)

    def hold(self, seconds: float, digest: str, prefix: tuple[str, ...], most: int) -> None:
        if known := self.held.get((digest, prefix)):
            self.connection.send_bytes(STEP.pack(len(prefix) - 1, known[0]))
            self.connection.send_bytes(DONE)
            return
        output = self.folder / "module.bc"
        counts, code = self._counts(seconds, self.loaded[digest], prefix, output)
        for place in range(1, len(prefix) + 1):
            count = self._told(counts, place, code)
            self.connection.send_bytes(STEP.pack(place - 1, GROWN if count > most else count))
            if count > most:
                break
        else:
            if code:  # it could not write
                child_start.end_as(code)
            self.held[digest, prefix] = counts[-1], output.read_bytes()
            while len(self.held) > HELD:
                self.held.popitem(last=False)
        self.connection.send_bytes(DONE)

    def show(self, seconds: float, digest: str, prefix: tuple[str, ...], kind: str) -> None:
        path = self.loaded[digest]
        if prefix:
            path = self.folder / "state.bc"
            path.write_bytes(self.held[digest, prefix][1])
        output = self.folder / "shown"
        form = ["-S"] if kind == "text" else []
        command = [self.program, str(path), *form, "-o", str(output), "-passes=verify"]
        child.run(command, seconds=_WALL * seconds, limits=child.Limits(cpu_seconds=seconds))
        shown = output.read_bytes()
        self.connection.send_bytes(_listing(shown) if kind == "listing" else shown)

    def _counts(
        self,
        seconds: float,
        source: Path,
        passes: Sequence[str],
        output: Path | None = None,
        complain: Callable[[str], object] = sys.stderr.write,
    ) -> tuple[list[int], int]:
        """Counts of a sequence, the initial one first, as far as it came, and how it ended: 0, or what the process gave."""
        counter = Counter()
        where = ["-o", str(output)] if output else ["-disable-output"]
        code = self._run(seconds, [str(source), *where], looked_at(passes, self.known), counter, complain)
        counter.end()
        unsure = [step for step, whole in enumerate(counter.whole) if not whole]
        if unsure:
            printed = PrintedCounter()
            shorter = passes[: unsure[-1]]
            looks = [WHOLE if step in unsure else "" for step in range(len(shorter) + 1)]
            run = looked_at(shorter, self.known, looks)
            self._run(seconds * len(looks), [str(source), "-disable-output"], run, printed, complain)
            if len(printed.counts) != len(unsure):
                raise SolverFailure(f"{self.program} printed {len(printed.counts)} modules, not {len(unsure)}")
            for step, count in zip(unsure, printed.counts, strict=True):
                counter.counts[step] = count
        return counter.counts, code

    def _run(
        self,
        seconds: float,
        arguments: list[str],
        passes: str,
        counter: Counter | PrintedCounter,
        complain: Callable[[str], object],
    ) -> int:
        command = [self.program, *arguments, f"-passes={passes}"]
        with child.started(command, limits=child.Limits(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as opt:
            assert opt.process.stdout is not None
            opt.allow(seconds)
            told = 0
            for line in opt.process.stdout:
                text = line.decode(errors="replace")
                if not counter.hear(text):
                    complain(text)
                if len(counter.counts) > told:
                    told = len(counter.counts)
                    opt.allow(seconds)
            return opt.wait() or 0

    def _told(self, counts: Sequence[int], place: int, code: int) -> int:
        """The count after so many passes; this process ends as the other did where that did not come so far."""
        if place < len(counts):
            return counts[place]
        if code:
            child_start.end_as(code)
        raise SolverFailure(f"{self.program} gave {len(counts)} counts, and none after pass {place}")


def _listing(bitcode: bytes) -> bytes:
    """What llvmlite finds in a module."""
    import llvmlite.binding as llvm

    try:
        return npz_bytes(listing(llvm.parse_bitcode(bitcode)).arrays())
    except RuntimeError as error:
        own, made = llvm.llvm_version_info[0], producer(bitcode)
        raise SolverFailure(
            f"counts and graphs are llvmlite's, whose LLVM {own} cannot read bitcode of LLVM {made} ({one_line(str(error))})"
        ) from error
