"""The back end of an installed ``opt``: against a stand-in, and a real one where there is one (REPRISE_OPT or PATH)."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.compiler import contained
from data.compiler.base import PassFailure, Trajectory, indices
from data.compiler.contained import GRACE, GROWTH
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.opt.compiler import OptCompiler
from data.compiler.opt.passes import Counter, looked_at, parse_passes
from runs.errors import InvalidProblem, MissingDependency
from tests.data.compiler.modules import SUM, SUM_COUNT, program_of_the_corpus
from tests.data.compiler.stand_in_opt import PASSES, stand_in_opt

MODULE = b"f 4 g 3"


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OptCompiler]:
    with OptCompiler(str(stand_in_opt(tmp_path_factory.mktemp("opt")))) as compiler:
        yield compiler


def test_passes_are_parsed_into_pipelines_of_their_own_managers() -> None:
    assert parse_passes(PASSES) == {
        "abort": "function(abort)",
        "add-function": "add-function",
        "argpromotion": "cgscc(argpromotion)",
        "complain": "function(complain)",
        "drop-first": "drop-first",
        "grow": "function(grow)",
        "halve": "function(halve)",
        "hang": "function(hang)",
        "indvars": "function(loop(indvars))",
        "instcombine": "function(instcombine<no-verify-fixpoint>)",
        "licm": "function(loop-mssa(licm))",
        "loop-flatten": "function(loop(loop-flatten))",
        "needs-parameters": "function(needs-parameters)",
    }


def test_a_step_counts_when_all_its_functions_have() -> None:
    counter = Counter()
    for line in ("Module Hash: 1", "Function f Hash: 2", "Function g Hash: 3", "TotalInstructionCount: 5"):
        assert counter.hear(line)
    for line in ("BasicBlockCount: 1", " - entry: float = 1.0, int = 8", " - never: float = 0.0, int = 0"):
        assert counter.hear(line)
    assert not counter.hear("warning: overriding the module target triple")
    half = Counter()
    half.hear("Module Hash: 1")
    half.hear("Function f Hash: 2")
    half.end()
    assert half.counts == []
    counter.hear("TotalInstructionCount: 2")
    counter.hear("Module Hash: 1")  # whose functions are gone
    assert counter.counts == [7]
    counter.end()
    assert (counter.counts, counter.whole) == ([7, 0], [False, True])
    assert looked_at(["a"], {"a": "function(a)"}).count("print<structural-hash>") == 2


def test_version_and_passes_are_its_own(compiler: OptCompiler) -> None:
    assert str(compiler.fingerprint) == "opt LLVM 19.1.7, 12 actions (passes)"  # one does not even start
    assert compiler.reads == 19


def test_trajectories_are_what_states_go_through(compiler: OptCompiler) -> None:
    add, drop, halve = indices(compiler, ["add-function", "drop-first", "halve"])
    sequences = [(halve, add, drop), (halve, add), (halve, drop, drop), (drop,), ()]
    found = compiler.trajectories(MODULE, sequences)
    assert [trajectory.counts for trajectory in found] == [(7, 3, 4, 2), (7, 3, 4), (7, 3, 1, 0), (7, 3), (7,)]
    state = compiler.load(MODULE)
    for action, count in zip(sequences[0], found[0].counts[1:], strict=True):
        state = state.apply(action)
        assert state.count() == count
    assert state.bitcode() == b"g 1 more2 1" and state.text() == "g 1 more2 1"
    assert compiler.reference(MODULE) == 4 and compiler.at_level(MODULE) == b"f 2 g 2"
    assert compiler.command_line((halve, drop)) == "opt -passes='function(halve),drop-first' input.bc -o output.bc"


def test_instructions_that_nothing_reaches_count(compiler: OptCompiler) -> None:
    halve, drop = indices(compiler, ["halve", "drop-first"])
    sequences = [(halve, drop), (drop, halve, halve)]
    assert [t.counts for t in compiler.trajectories(b"dead 8 g 3", sequences)] == [(11, 5, 1), (11, 3, 1, 0)]
    assert compiler.load(b"dead 8 g 3").apply(halve).count() == 5


def test_what_ends_a_sequence_is_told_with_its_last_words(
    compiler: OptCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contained, "ATTEMPTS", 1)  # it would fail again
    halve, abort, complain, grow = indices(compiler, ["halve", "abort", "complain", "grow"])
    ended = compiler.trajectories(MODULE, [(halve, abort), (halve, halve), (complain,), (halve, grow, halve)])
    assert [trajectory.counts for trajectory in ended] == [(7, 3), (7, 3, 1), (7,), (7, 3)]
    assert ended[1].failure is None
    causes = [trajectory.failure.cause for trajectory in ended if trajectory.failure]
    assert causes == [
        "SIGABRT: Assertion `false' failed",
        "exit code 1: LLVM ERROR: not today",
        f"it left more than {7 * GROWTH + GRACE} instructions of 7",
    ]
    with pytest.raises(PassFailure, match=r"grow failed after 1 others"):
        compiler.load(MODULE).apply(halve).apply(grow)


def test_a_pass_that_takes_too_long_is_ended_with_its_process(
    compiler: OptCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "cpu_seconds", 1)
    (found,) = compiler.trajectories(MODULE, [indices(compiler, ["halve", "hang"])])
    assert found.counts == (7, 3)
    assert found.failure is not None and found.failure.cause == "it took more than 1 s of CPU time"
    compiler.close()
    assert not [child for child in psutil.Process().children(recursive=True) if "opt" in child.name()]


def test_what_is_no_module_is_refused_by_name(compiler: OptCompiler) -> None:
    with pytest.raises(InvalidProblem, match=r"x.ll: LLVM 19.1.7 cannot read it \(expected top-level entity\)"):
        compiler.load(b"{}", "x.ll")
    with pytest.raises(InvalidProblem, match=r"x.ll defines no function"):
        compiler.load(b"", "x.ll")


def test_counts_need_bitcode_that_llvmlite_reads(compiler: OptCompiler) -> None:
    with pytest.raises(InvalidProblem, match=r"its listing cannot be had \(exit code 1: counts and graphs are"):
        compiler.load(MODULE).counts("autophase")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\nexit 3\n", r"is no opt \(opt ended with exit code 3"),
        (
            "#!/bin/sh\necho none\n",
            r"does not say its version of LLVM; name one of LLVM 19 or newer by compiler.opt=PATH",
        ),
    ],
)
def test_another_program_is_refused(tmp_path: Path, script: str, message: str) -> None:
    program = tmp_path / "opt"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(MissingDependency, match=message):
        OptCompiler(str(program))


def test_an_older_opt_is_refused_with_its_version_and_an_absent_one_by_name(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match=r"opt is LLVM 14.0.6, which does not tell counts .*compiler.opt=PATH"):
        OptCompiler(str(stand_in_opt(tmp_path, "14.0.6")))
    with pytest.raises(MissingDependency, match=r"there is no program /nowhere/opt .*name one of LLVM 19 or newer"):
        OptCompiler("/nowhere/opt")


@pytest.fixture(scope="module")
def real() -> Iterator[OptCompiler]:
    try:
        compiler = OptCompiler(os.environ.get("REPRISE_OPT", "opt"))
    except MissingDependency as error:
        pytest.skip(str(error))
    with compiler:
        yield compiler


def test_a_real_one_repeats_its_trajectories_in_another_process(real: OptCompiler) -> None:
    rng = np.random.default_rng(0)
    sequences = [tuple(rng.integers(len(real.actions), size=12).tolist()) for _ in range(4)]
    together = real.trajectories(SUM, [*sequences, sequences[0][:5]])
    assert together[4] == Trajectory(together[0].counts[:6])
    with OptCompiler(real.opt) as another:
        assert [another.trajectories(SUM, [sequence])[0] for sequence in sequences] == together[:4]


def test_a_real_one_counts_what_llvmlite_counts(real: OptCompiler, compiler: OptCompiler) -> None:
    with LlvmliteCompiler("single") as llvmlite:
        here, there = llvmlite.load(SUM), real.load(SUM)
        assert here.count() == there.count() == SUM_COUNT
        assert there.counts("inst_count").tolist() == here.counts("inst_count").tolist()
        (sroa,) = indices(real, ["sroa"])
        assert there.apply(sroa).count() == here.apply(llvmlite.actions.index("sroa")).count()
        assert llvmlite.load(there.apply(sroa).bitcode()).count() == there.apply(sroa).count()


def test_a_real_one_counts_what_nothing_reaches(real: OptCompiler) -> None:
    """Its function properties do not."""
    module = b"define i32 @f() {\n  ret i32 0\nnever:\n  %x = add i32 1, 2\n  ret i32 %x\n}\n"
    simplify, promote = indices(real, ["simplifycfg", "mem2reg"])
    assert [t.counts for t in real.trajectories(module, [(promote, simplify, promote), ()])] == [(3, 3, 1, 1), (3,)]


def test_the_level_of_size_of_llvm_19_is_that_of_the_corpus_list(real: OptCompiler) -> None:
    if real.reads != 19:
        pytest.skip(f"the list is of LLVM 19, this is {real.fingerprint.version}")
    path = Path(os.environ.get("REPRISE_DATA", "datasets")) / "compiler" / "programs.csv"
    if not path.exists():
        pytest.skip(f"the corpus is not there: {path}")
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test" and 0 < int(row["instructions"]) < 150]
    for row in rows[:8]:
        assert real.reference(program_of_the_corpus(f"{row['family']}/{row['program']}.bc")) == int(row["oz_llvm19"])
