"""Where programs come from (docs/papers/pass_order.md#2.2)."""

from __future__ import annotations

import base64
import functools
import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from data.compiler.base import Compiler
from data.compiler.clang import Clang
from data.compiler.collected import by_digest, collected
from data.compiler.corpus import Split, read_corpus
from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.functions import function_programs, function_programs_by_passes, normalised
from data.compiler.own_programs import read_programs
from data.compiler.program import Program, Programs
from runs.errors import ConfigError, InvalidProblem, at_least, nearest
from runs.store.cache import ArtifactCache, json_bytes, json_value

_MESSAGES = logging.getLogger(__name__)


class ProgramSource(Protocol):
    """Any way to come by programs."""

    def read(self, compiler: Compiler) -> Programs:
        """All of them, for a compiler that can read them."""


@dataclass(frozen=True)
class Corpus:
    """A part of the corpus.

    Parameters
    ----------
    folder
        Where its archives lie.
    split
        ``train``, ``val`` or ``test``.
    families
        Only these; None: all.
    """

    folder: str
    split: Split
    families: Sequence[str] | None = None

    def read(self, compiler: Compiler) -> Programs:
        """See :class:`ProgramSource`; nothing is compiled yet.

        Raises
        ------
        ConfigError
            The part has no such family.
        """
        programs = read_corpus(self.folder, self.split)
        known = sorted({program.family for program in programs})
        for family in self.families or ():
            if family not in known:
                raise ConfigError(f"data.source.families: {self.split} has no '{family}'{nearest(family, known)}")
        wanted = set(known if self.families is None else self.families)
        return Programs(tuple(program for program in programs if program.family in wanted), {})


@dataclass(frozen=True)
class Drawn:
    """Programs made up by chance.

    Parameters
    ----------
    count, seed, functions, statements
        See :func:`data.compiler.drawn.drawn_programs`.
    """

    count: int = 20
    seed: int = 0
    functions: int = 3
    statements: int = 8

    def read(self, compiler: Compiler) -> Programs:
        """See :class:`ProgramSource`."""
        return Programs(drawn_programs(self.count, self.seed, self.functions, self.statements), {})


@dataclass(frozen=True)
class Own:
    """A file, or a folder of files.

    Parameters
    ----------
    path
        See :func:`data.compiler.own_programs.read_programs`.
    flags, clang
        For files of C; see :class:`data.compiler.clang.Clang`.
    """

    path: str
    flags: str = ""
    clang: str | None = None

    def read(self, compiler: Compiler) -> Programs:
        """See :class:`ProgramSource`; what is no program is refused."""
        return read_programs(self.path, compiler, Clang(self.clang, self.flags))


@dataclass(frozen=True)
class Portion:
    """Some of the programs of another source, so that each is in one portion.

    Parameters
    ----------
    of
        Which programs.
    begin, end
        Shares of all, in the order of a checksum of their names, that this portion begins and ends at.
    """

    of: ProgramSource
    begin: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1:
            raise ConfigError(f"data.source: a portion from {self.begin} to {self.end}; give 0 <= begin < end <= 1")

    def read(self, compiler: Compiler) -> Programs:
        """See :class:`ProgramSource`.

        Raises
        ------
        InvalidProblem
            There are so few programs that none is left.
        """
        whole = self.of.read(compiler)
        ordered = sorted(whole.kept, key=lambda program: hashlib.sha256(program.name.encode()).digest())
        chosen = set(ordered[round(self.begin * len(ordered)) : round(self.end * len(ordered))])
        if not chosen:
            raise InvalidProblem(
                f"of {len(ordered)} programs none is left between {self.begin:g} and {self.end:g}; give more files"
            )
        return Programs(tuple(program for program in whole.kept if program in chosen), whole.refused)


@dataclass(frozen=True)
class Functions:
    """Functions of other programs, each a program alone, and of those that are equal up to names the first.

    Parameters
    ----------
    of
        Whose functions.
    cache
        Folder of the artifact cache, where the functions of each program are kept.
    least, most
        Instructions that a function may have.
    most_bytes
        Programs of more bitcode are left aside: each function costs a reading of the whole; None: none is.
    per_family
        How many are drawn from each family; None: all.
    seed
        Of the draw.
    apart_from
        Functions that are equal to one of these are left out: what something learns on must not be tested.
    workers
        Processes that cut.
    """

    of: ProgramSource
    cache: str
    least: int = 20
    most: int = 400
    most_bytes: int | None = None
    per_family: int | None = None
    seed: int = 0
    apart_from: Functions | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        at_least("data.source.", least=(self.least, 1), most=(self.most, self.least), per_family=(self.per_family, 1))

    def read(self, compiler: Compiler) -> Programs:
        """See :class:`ProgramSource`. It is llvmlite that cuts, unless the compiler does not read what llvmlite writes."""
        with LlvmliteCompiler("single") as cutter:
            older = compiler if compiler.reads < cutter.reads else None
            learned = [] if self.apart_from is None else self.apart_from._cut(cutter, older)[0]
            found, refused = self._cut(cutter, older)
        seen = {text: "one that is learned on" for _, text in learned}
        kept: list[Program] = []
        for program, text in found:
            first = seen.setdefault(text, program.name)
            if first == program.name:
                kept.append(program)
            else:
                _MESSAGES.info("%s is %s under other names", program.name, first)
        return Programs(tuple(self._drawn(kept)), refused)

    def _cut(
        self, cutter: LlvmliteCompiler, older: Compiler | None
    ) -> tuple[list[tuple[Program, str]], dict[str, str]]:
        """All functions, with digests of their normalised text, and what was refused."""
        whole = self._not_too_large(self.of.read(cutter))
        about: dict[str, Any] = {"least": self.least, "most": self.most, "version": cutter.fingerprint.version}
        about |= {} if older is None else {"older": older.fingerprint.version}
        make = functools.partial(
            _cut_out, programs=by_digest(whole.kept), cutter=cutter, older=older, least=self.least, most=self.most
        )
        found = collected("functions", about, whole.kept, make, ArtifactCache(self.cache), self.workers)
        kept: list[tuple[Program, str]] = []
        refused = dict(whole.refused)
        for program in whole.kept:
            if program.name not in found:
                refused[program.name] = f"{program.name} could not be read"
                continue
            about_it = json_value(found[program.name])
            if why := about_it.get("unread"):
                _MESSAGES.info("%s", why)
            refused |= {f"{program.name}/{name}": reason for name, reason in about_it["refused"].items()}
            kept += [
                (Program(f"{program.name}/{name}", program.family, base64.b64decode(bitcode)), text)
                for name, bitcode, text in about_it["kept"]
            ]
        return kept, refused

    def _not_too_large(self, programs: Programs) -> Programs:
        if self.most_bytes is None:
            return programs
        kept = tuple(program for program in programs.kept if len(program.bitcode) <= self.most_bytes)
        for program in programs.kept:
            if program not in kept:
                _MESSAGES.info("%s has %d bytes; its functions are left aside", program.name, len(program.bitcode))
        return Programs(kept, programs.refused)

    def _drawn(self, programs: Sequence[Program]) -> list[Program]:
        """Of each family so many, in order."""
        if self.per_family is None:
            return list(programs)
        families: dict[str, list[int]] = defaultdict(list)
        for position, program in enumerate(programs):
            families[program.family].append(position)
        chosen: set[int] = set()
        for family, positions in families.items():
            rng = np.random.default_rng([self.seed, *family.encode()])
            chosen |= set(rng.permutation(positions)[: self.per_family].tolist())
        return [program for position, program in enumerate(programs) if position in chosen]


def _cut_out(
    digest: str,
    *,
    programs: dict[str, Program],
    cutter: LlvmliteCompiler,
    older: Compiler | None,
    least: int,
    most: int,
) -> bytes:
    """The functions of a program: their names within it, bitcode, and digests of their normalised text."""
    program = programs[digest]
    try:
        if older is None:
            found = function_programs(program, cutter, least, most)
        else:
            found = function_programs_by_passes(program, older, least, most)
    except InvalidProblem as error:  # kept, too, so that no run tries again
        return json_bytes({"kept": [], "unread": str(error), "refused": {}})

    def name(whole: str) -> str:
        return whole.removeprefix(f"{program.name}/")

    kept = []
    for function in found.kept:
        text = normalised(cutter.load(function.bitcode, function.name).text())
        bitcode = base64.b64encode(function.bitcode).decode()
        kept.append([name(function.name), bitcode, hashlib.sha256(text.encode()).hexdigest()])
    return json_bytes({"kept": kept, "refused": {name(whole): why for whole, why in found.refused.items()}})
