"""Programs whose passes are to be ordered, as the data of a run."""

from __future__ import annotations

from torch.utils.data import Dataset

from data.compiler.base import Compiler
from data.compiler.problem import PassOrdering
from data.compiler.sources import Own, ProgramSource
from data.modules import ProblemData
from runs.errors import InvalidProblem, at_least

_SHOWN = 3


class CompiledPrograms(ProblemData):
    """Programs from a source (docs/papers/pass_order.md#2.2).

    ``test_problems`` holds items ``(index, PassOrdering)``. Programs that the compiler cannot read, and those that its level
    of size leaves nothing of, are left out; ``left_out`` names them.

    Parameters
    ----------
    compiler
        Optimises them.
    source
        Where they come from.
    count
        How many, from ``first`` on; None: all.
    first
        Position of the first.
    name
        Of the set.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        compiler: Compiler,
        source: ProgramSource,
        count: int | None = None,
        first: int = 0,
        name: str = "programs",
    ) -> None:
        super().__init__()
        at_least("data.", count=(count, 1), first=(first, 0))
        self.compiler, self.source, self.count, self.first, self.name = compiler, source, count, first, name
        self.refused: dict[str, str] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read the programs.

        Raises
        ------
        InvalidProblem
            None is left.
        """
        if self.test_problems is not None:
            return
        found = self.source.read(self.compiler)
        self.refused = dict(found.refused)
        kept: list[PassOrdering] = []
        for program in found.kept:
            if self.count is not None and len(kept) == self.first + self.count:
                break
            problem = PassOrdering(program, self.compiler)
            try:
                if problem.reference > 0:
                    kept.append(problem)
                else:
                    self.refused[program.name] = f"{program.name}: the level of size leaves no instruction"
            except InvalidProblem as error:
                self.refused[program.name] = str(error)
        if not kept[self.first :]:
            why = next(iter(self.refused.values()), f"there are {len(kept)}, and data.first is {self.first}")
            raise InvalidProblem(f"{self.name}: no program is left of {len(found.kept) + len(found.refused)}; {why}")
        self.test_problems = _Problems(kept, self.first)

    @property
    def left_out(self) -> str:
        """How many programs were refused, and why the first ones were; "" where none was."""
        if not self.refused:
            return ""
        return f"{len(self.refused)} programs of {self.name}: {'; '.join([*self.refused.values()][:_SHOWN])}"


def own_programs(
    compiler: Compiler,
    path: str,
    flags: str = "",
    clang: str | None = None,
    count: int | None = None,
    first: int = 0,
    name: str = "own",
) -> CompiledPrograms:
    """A file or a folder of one's own as the data of a run; see :class:`data.compiler.sources.Own`."""
    return CompiledPrograms(compiler, Own(path, flags, clang), count, first, name)


def learned_programs(
    compiler: Compiler, source: ProgramSource, path: str, count: int | None = None, first: int = 0, name: str = "own"
) -> CompiledPrograms:
    """Those of one's own programs that are tested after others were learned on; ``path`` is what all sources read."""
    return CompiledPrograms(compiler, source, count, first, name)


class _Problems(Dataset[tuple[int, PassOrdering]]):
    def __init__(self, problems: list[PassOrdering], first: int) -> None:
        self.problems, self.first = problems, first

    def __len__(self) -> int:
        return len(self.problems) - self.first

    def __getitem__(self, position: int) -> tuple[int, PassOrdering]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        return self.first + position, self.problems[self.first + position]
