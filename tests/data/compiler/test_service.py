"""The back end that speaks to CompilerGym's service, against a stand-in, and against the real one where it is laid out."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("grpc", reason="grpcio is not installed (extra compiler-gym)")

from data.compiler import compiler_child, contained
from data.compiler.base import PassFailure, Trajectory, indices
from data.compiler.compiler_gym import worker
from data.compiler.compiler_gym.compiler import ServiceCompiler
from data.compiler.contained import GRACE, GROWTH
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from tests.data.compiler.stand_in_service import PASSES, lay_out_stand_in

NUMBERS = b"4 3 2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out_stand_in(tmp_path_factory.mktemp("service") / "laid_out")


@pytest.fixture(scope="module")
def compiler(folder: Path) -> Iterator[ServiceCompiler]:
    with ServiceCompiler(folder, cpu_seconds=5) as compiler:
        yield compiler


def services() -> set[psutil.Process]:
    return {
        process
        for process in psutil.Process().children(recursive=True)
        if any("compiler_gym-llvm-service" in word for word in process.cmdline())
    }


def test_passes_and_version_are_the_services_own(compiler: ServiceCompiler) -> None:
    assert compiler.actions == PASSES
    assert str(compiler.fingerprint) == f"compiler_gym LLVM 10.0.0, {len(PASSES)} actions (Stand-in)"
    assert (compiler.size_level, compiler.levels) == ("Oz", ("O0", "O3", "Oz"))


def test_trajectories_share_prefixes_and_are_what_states_go_through(compiler: ServiceCompiler) -> None:
    zero, halve = indices(compiler, ["-zero-first", "-halve"])
    sequences = [(zero, halve, halve), (zero, zero), (halve, zero), (), (zero, halve, zero)]
    found = compiler.trajectories(NUMBERS, sequences)
    assert [trajectory.counts for trajectory in found] == [(9, 5, 2, 0), (9, 5, 2), (9, 4, 2), (9,), (9, 5, 2, 1)]
    for sequence, trajectory in zip(sequences, found, strict=True):
        state, counts = compiler.load(NUMBERS), [9]
        for action in sequence:
            state = state.apply(action)
            counts.append(state.count())
        assert trajectory == Trajectory(tuple(counts))


def test_levels_are_what_the_service_has_observed(compiler: ServiceCompiler) -> None:
    assert [compiler.reference(NUMBERS, level) for level in ("O0", "O3", "Oz", None)] == [9, 3, 2, 2]
    with pytest.raises(ConfigError, match=r"has no level 'O2'"):
        compiler.reference(NUMBERS, "O2")
    with pytest.raises(InvalidProblem, match=r"tells how many instructions Oz leaves of x.bc, not the module"):
        compiler.at_level(NUMBERS, name="x.bc")
    assert compiler.at_level(NUMBERS, "O0") == b"4 3 2"


def test_programs_are_told_apart_by_their_content(compiler: ServiceCompiler) -> None:
    """The service keeps them by their names."""
    assert [compiler.load(text, "one name").count() for text in (b"1", b"1 1", b"1")] == [1, 2, 1]


def test_counts_graph_and_module_of_a_state(compiler: ServiceCompiler) -> None:
    state = compiler.load(NUMBERS).apply(0)
    assert (state.bitcode(), state.text()) == (b"0 3 2", "; [0, 3, 2]")
    assert state.counts("autophase").tolist() == [5] * 56 and state.counts("inst_count").tolist() == [5] * 70
    graph = state.graph()
    assert (graph.graph.nodes, graph.texts, graph.graph.source.tolist()) == (5, ("add",), [0])


def test_a_service_that_dies_of_a_pass_ends_its_sequence_at_the_last_count(
    compiler: ServiceCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contained, "ATTEMPTS", 1)  # it would die again
    zero, abort, leave = indices(compiler, ["-zero-first", "-abort", "-end"])
    ended, whole, left = compiler.trajectories(NUMBERS, [(zero, abort, zero), (zero, zero), (leave,)])
    assert whole == Trajectory((9, 5, 2))
    assert ended.counts == (9, 5) and ended.failure is not None
    assert ended.failure.prefix == (zero, abort)
    assert ended.failure.cause == "SIGABRT: Assertion `numbers' failed"
    assert left.counts == (9,) and left.failure is not None and left.failure.cause.startswith("exit code 3")
    with pytest.raises(PassFailure, match=r"-abort failed after 1 others"):
        compiler.load(NUMBERS).apply(zero).apply(abort)


def test_a_service_that_computes_for_too_long_is_ended(folder: Path) -> None:
    with ServiceCompiler(folder, cpu_seconds=1) as compiler:
        (found,) = compiler.trajectories(NUMBERS, [indices(compiler, ["-halve", "-hang", "-halve"])])
    assert found.counts == (9, 4)
    assert found.failure is not None and found.failure.cause == "it took more than 1 s of CPU time"


def test_a_service_that_stands_still_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = services()
    with ServiceCompiler(folder, cpu_seconds=1) as compiler:
        state = compiler.load(NUMBERS)
        (service,) = services() - others
        monkeypatch.setattr(compiler_child, "PATIENCE", 0.2)
        service.suspend()
        with pytest.raises(PassFailure, match=r"no answer within 0.2 s"):
            state.apply(0)
        _, alive = psutil.wait_procs([service], timeout=5)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_answers_of_another_form_are_named(compiler: ServiceCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contained, "ATTEMPTS", 1)
    (found,) = compiler.trajectories(NUMBERS, [indices(compiler, ["-say-nothing"])])
    assert found.failure is not None and "the service gives 0 observations for one" in found.failure.cause


def test_growth_ends_a_sequence(compiler: ServiceCompiler) -> None:
    (found,) = compiler.trajectories(NUMBERS, [indices(compiler, ["-halve", "-grow", "-halve"])])
    assert found.counts == (9, 4)
    assert (
        found.failure is not None and found.failure.cause == f"it left more than {9 * GROWTH + GRACE} instructions of 9"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"words", r"x.bc: LLVM 10.0.0 cannot read it \(Failed to parse LLVM bitcode\); give bitcode \(\.bc"),
        (
            b"crash",
            r"x.bc: LLVM 10.0.0 cannot read it \(its reader did not survive: SIGABRT: LLVM ERROR: Invalid record",
        ),
        (b"0", r"x.bc defines no function"),
    ],
)
def test_what_is_no_program_is_refused_by_name(compiler: ServiceCompiler, content: bytes, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        compiler.load(content, "x.bc")
    assert compiler.load(NUMBERS).count() == 9


def test_bitcode_of_a_newer_llvm_names_both_versions(compiler: ServiceCompiler) -> None:
    llvm = pytest.importorskip("llvmlite.binding")
    newer = llvm.parse_assembly("define void @f() { ret void }").as_bitcode()
    with pytest.raises(
        InvalidProblem, match=r"is of LLVM 22, newer than LLVM 10.0.0 .*compile it with clang 13 or older"
    ):
        compiler.load(newer, "x.bc")


def test_a_service_that_has_grown_is_renewed_with_the_next_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = services()
    with ServiceCompiler(folder) as compiler:
        compiler.load(NUMBERS)
        before = services()
        compiler.load(b"1")
        assert services() == before > others
        assert compiler._child is not None
        compiler._child.worn = True
        compiler.load(b"2")
        assert services() > others and services() & before == others
        assert compiler.load(NUMBERS).apply(0).count() == 5


def test_memory_that_has_doubled_is_told() -> None:
    grown = worker.ServiceWorker.__new__(worker.ServiceWorker)

    class Service:
        resident = 0

    grown.service = Service()  # type: ignore[assignment]
    for first, now, worn in [
        (10, 30, False),
        (10, 2 * worker.SMALL + 1, True),
        (2 * worker.SMALL, 3 * worker.SMALL, False),
    ]:
        grown.first, Service.resident = first, now
        assert grown.worn() is worn


def test_no_service_outlives_its_compiler_or_a_run_that_is_killed(folder: Path) -> None:
    program = f"""
        import time
        from data.compiler.compiler_gym.compiler import ServiceCompiler
        compiler = ServiceCompiler({str(folder)!r})
        compiler.load(b"1 2")
        print("ready", flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "ready\n"
        children = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_folder_without_the_service_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        MissingDependency, match=r"not laid out in .*nothing.*make compiler-gym.*compiler.service=FOLDER"
    ):
        ServiceCompiler(tmp_path / "nothing")


def test_a_program_that_is_no_service_is_named(folder: Path, tmp_path: Path) -> None:
    broken = lay_out_stand_in(tmp_path / "broken")
    (broken / "compiler_gym/envs/llvm/service/compiler_gym-llvm-service").write_text("#!/bin/sh\nexit 4\n")
    with pytest.raises(MissingDependency, match=r"does not work here: exit code 1: .*did not start: exit code 4"):
        ServiceCompiler(broken)
    (broken / "compiler_gym/service/proto/compiler_gym_service_pb2.py").write_text("nothing = 1\n")
    with pytest.raises(MissingDependency, match=r"no messages of CompilerGym are described in"):
        ServiceCompiler(broken)


def test_without_grpcio_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"not installed. It comes with the extra 'compiler-gym'"):
        ServiceCompiler(folder)
