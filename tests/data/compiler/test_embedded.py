"""The llvmlite back end: states, trajectories, and what ends them."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.compiler import contained
from data.compiler.base import PassFailure, Trajectory, indices
from data.compiler.contained import GRACE, GROWTH
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.passes import MINSIZE, action_names
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from tests.data.compiler.modules import OUT_OF_MEMORY, SUM, SUM_COUNT, growing, program_of_the_corpus


def random_sequences(compiler: LlvmliteCompiler, count: int, length: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(0)
    return [tuple(rng.integers(len(compiler.actions), size=length).tolist()) for _ in range(count)]


def test_the_action_spaces_hold_each_other_in_order() -> None:
    single, function, pipeline = (action_names(space) for space in ("single", "function", "pipeline"))
    assert (len(single), len(function), len(pipeline)) == (44, 47, 51)
    assert function[:44] == pipeline[:44] == single == tuple(sorted(single))
    assert pipeline[:47] == function and pipeline[-1] == MINSIZE


def test_a_loop_over_memory_is_counted_and_made_smaller(compiler: LlvmliteCompiler) -> None:
    start = compiler.load(SUM)
    assert start.count() == SUM_COUNT
    assert start.apply(compiler.actions.index("sroa")).count() == 11


def test_counts_are_those_of_printed_instructions(compiler: LlvmliteCompiler) -> None:
    for sequence in random_sequences(compiler, 3, 6):
        state = compiler.load(SUM)
        for action in sequence:
            state = state.apply(action)
            assert state.count() == len(re.findall(r"^  [%a-z]", state.text(), re.MULTILINE))


def test_a_state_stays_usable_whatever_is_applied_to_it(compiler: LlvmliteCompiler) -> None:
    start = compiler.load(SUM)
    before = start.bitcode()
    promoted = start.apply(compiler.actions.index("sroa"))
    text = promoted.text()
    promoted.apply(compiler.actions.index("default<O3>"))
    assert start.bitcode() == before
    assert promoted.text() == text


def test_trajectories_are_what_states_go_through_one_by_one(compiler: LlvmliteCompiler) -> None:
    sequences = random_sequences(compiler, 4, 8)
    for sequence, trajectory in zip(sequences, compiler.trajectories(SUM, sequences), strict=True):
        state, counts = compiler.load(SUM), [SUM_COUNT]
        for action in sequence:
            state = state.apply(action)
            counts.append(state.count())
        assert trajectory == Trajectory(tuple(counts))


def test_shared_prefixes_and_company_change_no_trajectory(compiler: LlvmliteCompiler) -> None:
    long = random_sequences(compiler, 6, 10)
    sequences = [*long, *(sequence[:4] + other[:3] for sequence, other in itertools.pairwise(long)), ()]
    together = compiler.trajectories(SUM, sequences)
    with LlvmliteCompiler() as another:
        assert [another.trajectories(SUM, [sequence])[0] for sequence in sequences] == together


def test_bitcode_read_again_goes_on_as_the_state_does(compiler: LlvmliteCompiler) -> None:
    sroa, combine = indices(compiler, ["sroa", "instruction_combine"])
    state = compiler.load(SUM).apply(sroa)
    again = compiler.load(state.bitcode())
    assert again.count() == state.count()
    assert again.apply(combine).count() == state.apply(combine).count()


def test_the_level_of_size_asks_for_the_least_size_and_then_optimises(compiler: LlvmliteCompiler) -> None:
    by_hand = compiler.trajectories(SUM, [indices(compiler, [MINSIZE, "default<O2>"])])[0]
    assert compiler.reference(SUM) == by_hand.counts[-1]
    assert compiler.reference(SUM, "O0") == SUM_COUNT


def test_a_copy_in_another_process_has_a_child_of_its_own(compiler: LlvmliteCompiler) -> None:
    compiler.load(SUM)
    with pickle.loads(pickle.dumps(compiler)) as copy:
        assert copy.load(SUM).apply(0).count() == compiler.load(SUM).apply(0).count()
        assert len(psutil.Process().children()) >= 2


def test_no_child_outlives_the_compiler() -> None:
    before = set(psutil.Process().children(recursive=True))
    with LlvmliteCompiler() as compiler:
        compiler.load(SUM)
        started = set(psutil.Process().children(recursive=True)) - before
        assert started
    assert not any(process.is_running() for process in started)


def test_a_pass_that_aborts_ends_its_sequence_at_the_last_count_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contained, "ATTEMPTS", 1)  # it would abort again
    with LlvmliteCompiler("single", memory_gib=1) as compiler:
        fine, fatal = indices(compiler, ["simplify_cfg", "global_opt"])
        sequences = [(fine, fatal, fine), (fine, fine), (fatal,), (fine, fatal)]
        for _ in range(2):  # known to fail, it is not tried again
            ended, whole, at_once, again = compiler.trajectories(OUT_OF_MEMORY, sequences)
            assert whole == Trajectory((4, 4, 4))
            assert ended == again and ended.counts == (4, 4) and at_once.counts == (4,)
            assert ended.failure is not None and at_once.failure is not None
            assert (ended.failure.prefix, at_once.failure.prefix) == ((fine, fatal), (fatal,))
            assert ended.failure.action == "global_opt"
            assert ended.failure.cause == "SIGABRT: LLVM ERROR: out of memory"
        with pytest.raises(PassFailure, match=r"global_opt failed after 1 others \(SIGABRT.*leave this pass out here"):
            compiler.load(OUT_OF_MEMORY).apply(fine).apply(fatal)
        assert compiler.load(OUT_OF_MEMORY).apply(fine).count() == 4


def test_a_module_that_grows_tenfold_ends_its_sequence(compiler: LlvmliteCompiler) -> None:
    module = growing()
    start = compiler.load(module).count()
    inline, combine = indices(compiler, ["always_inliner", "instruction_combine"])
    first, second = compiler.trajectories(module, [(combine, inline, combine, combine), (combine, combine)])
    assert first.counts == (start, start) and second.counts == (start, start, start)
    assert first.failure is not None and first.failure.prefix == (combine, inline)
    assert first.failure.cause == f"it left more than {GROWTH * start + GRACE} instructions of {start}"
    with pytest.raises(PassFailure, match="it left more than"):
        compiler.load(module).apply(combine).apply(inline)


def test_a_pass_that_takes_too_long_ends_its_sequence_and_is_not_tried_again() -> None:
    with LlvmliteCompiler(cpu_seconds=1) as compiler:
        (inline,) = indices(compiler, ["always_inliner"])
        (found,) = compiler.trajectories(growing(levels=5), [(inline, inline)])
        assert len(found.counts) == 1
        assert found.failure is not None and found.failure.cause == "it took more than 1 s of CPU time"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\x02\x01\x01", r"lua.bc: LLVM 22.* cannot read it .*give bitcode \(\.bc\) or IR \(\.ll\)"),
        (b"BC\xc0\xde", r"lua.bc: LLVM 22.* cannot read it"),
        (b"define i32 @f( {", r"lua.bc: LLVM 22.* cannot read it .*error"),
        (b"define i32 @f() {\n  %x = add i32 1, 2\n}", r"lua.bc: LLVM 22.* cannot read it"),
        (b"", r"lua.bc defines no function"),
        (b"declare void @f()", r"lua.bc defines no function, so there is nothing to optimise; leave it out"),
    ],
)
def test_what_is_no_program_is_refused_by_name(compiler: LlvmliteCompiler, content: bytes, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        compiler.load(content, "lua.bc")


def test_bitcode_that_was_cut_off_is_refused(compiler: LlvmliteCompiler) -> None:
    whole = compiler.load(SUM).bitcode()
    for size in (len(whole) // 2, len(whole) - 4):
        with pytest.raises(InvalidProblem, match=r"lua.bc: LLVM 22.* cannot read it"):
            compiler.load(whole[:size], "lua.bc")


def test_settings_out_of_range_are_refused(compiler: LlvmliteCompiler) -> None:
    with pytest.raises(ConfigError, match=r"compiler.space is 'pipelines'; did you mean 'pipeline'"):
        LlvmliteCompiler("pipelines")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"compiler.cpu_seconds is 0; give at least 1"):
        LlvmliteCompiler(cpu_seconds=0)
    with pytest.raises(ConfigError, match=r"has no action 'licm'"):
        indices(compiler, ["licm"])
    with pytest.raises(ConfigError, match=r"has no action 51; they are numbered from 0"):
        compiler.trajectories(SUM, [(51,)])
    with pytest.raises(ConfigError, match=r"has no action -1"):
        compiler.load(SUM).apply(-1)
    with pytest.raises(ConfigError, match=r"has no level 'Oz'; did you mean 'Oz\*'"):
        compiler.reference(SUM, "Oz")


def test_without_llvmlite_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    with pytest.raises(MissingDependency, match=r"llvmlite.binding is not installed .*extra 'compiler'"):
        LlvmliteCompiler()


def test_fingerprints_tell_compilers_apart() -> None:
    digests = {LlvmliteCompiler(space).fingerprint.digest for space in ("single", "function", "pipeline")}
    assert len(digests) == 3
    assert str(LlvmliteCompiler().fingerprint) == "llvmlite LLVM 22.1.0, 51 actions (pipeline)"


def test_the_least_count_is_sought_within_the_budget() -> None:
    trajectory = Trajectory((9, 7, 8, 5, 5))
    assert [trajectory.least(budget) for budget in (0, 1, 2, 3, 9)] == [9, 7, 7, 5, 5]
    assert trajectory.best_length == 3


def test_a_pass_that_aborts_by_chance_is_tried_again_in_a_new_child(compiler: LlvmliteCompiler) -> None:
    """In a child that has done other work, dead_arg_elimination aborts on this program about every fourth time."""
    program = program_of_the_corpus("csmith/s34.bc")
    sequences = [
        (*random, *indices(compiler, ["dead_arg_elimination"])) for random in random_sequences(compiler, 20, 1)
    ]
    assert not any(trajectory.failure for trajectory in compiler.trajectories(program, sequences, "csmith/s34"))


def test_counts_of_the_corpus_are_those_of_its_list(compiler: LlvmliteCompiler) -> None:
    path = Path(os.environ.get("REPRISE_DATA", "datasets")) / "compiler" / "programs.csv"
    if not path.exists():
        pytest.skip(f"the corpus is not there: {path}")
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test" and 0 < int(row["instructions"]) < 150]
    for row in rows[:12]:
        program = program_of_the_corpus(f"{row['family']}/{row['program']}.bc")
        assert compiler.load(program).count() == int(row["instructions"])
        assert compiler.reference(program) == int(row["oz_llvmlite_star"])


def test_damaged_bitcode_is_read_or_refused_and_the_next_program_goes_on(compiler: LlvmliteCompiler) -> None:
    rng = np.random.default_rng(0)
    whole = np.frombuffer(compiler.load(SUM).bitcode(), np.uint8)
    for _ in range(12):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=5)] ^= 1 << rng.integers(8, size=5).astype(np.uint8)
        with contextlib.suppress(InvalidProblem):
            compiler.load(damaged.tobytes(), "damaged.bc").graph()
    assert compiler.load(SUM).apply(0).count() == SUM_COUNT


def test_no_child_outlives_a_run_that_is_killed() -> None:
    program = """
        import time
        from data.compiler.embedded import LlvmliteCompiler
        from tests.data.compiler.modules import SUM
        compiler = LlvmliteCompiler()
        compiler.load(SUM)
        print("ready", flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "ready\n"
        children = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone and not alive
