"""The service of LLVM 10 itself, where it is laid out (`make compiler-gym`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from data.compiler.compiler_gym.compiler import ServiceCompiler
from data.compiler.compiler_gym.layout import default_folder
from data.compiler.compiler_gym.messages import Messages
from data.compiler.counts import COUNTS
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.functions import function_programs, function_programs_by_passes
from data.compiler.program import Program
from data.compiler.program_graph import ProgramGraph
from runs.errors import InvalidProblem, MissingDependency
from tests.data.compiler.modules import program_of_the_corpus
from tests.data.compiler.stand_in_service import CALLS, OBSERVATIONS, description

pytestmark = pytest.mark.compiler_gym

WITHOUT_LIFETIMES = ("tommath/mp_error_to_string.bc", "tommath/mp_radix_size_overestimate.bc")
WITH_LIFETIMES = ("crypto/aes_test.bc", "zlib/trees.bc", "kissfft/kfc.bc")
REWRITTEN = {"TotalFuncs", "const64Bit", "numConstOnes"}
"""What a newer LLVM changes where it reads lifetime markers of LLVM 13."""


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceCompiler]:
    try:
        compiler = ServiceCompiler(default_folder())
    except MissingDependency as error:
        pytest.skip(str(error))
    with compiler:
        yield compiler


def test_it_offers_the_passes_of_the_paper(service: ServiceCompiler) -> None:
    assert str(service.fingerprint) == "compiler_gym LLVM 10.0.0, 124 actions (PassesAll)"
    assert service.actions[:2] == ("-add-discriminators", "-adce") and {"-mem2reg", "-inline", "-gvn"} < {
        *service.actions
    }


def test_the_stand_in_speaks_its_messages(service: ServiceCompiler) -> None:
    messages = Messages(service.layout.descriptors)
    for message in description().message_type:
        real = {field.name: field for field in getattr(messages, message.name).DESCRIPTOR.fields}
        for field in message.field:
            assert (real[field.name].number, real[field.name].type) == (field.number, field.type)
    assert {*CALLS} < {*messages.calls()}
    assert len(OBSERVATIONS) == 9


def random_sequences(actions: int, count: int, length: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(1)
    return [tuple(rng.integers(actions, size=length).tolist()) for _ in range(count)]


def test_sequences_repeat_in_another_service_and_alone(service: ServiceCompiler) -> None:
    program = program_of_the_corpus("zlib/zutil.bc")
    sequences = random_sequences(124, 6, 20)
    together = service.trajectories(program, [*sequences, *(sequence[:7] + sequence[3:] for sequence in sequences)])
    with ServiceCompiler(service.layout.folder) as another:
        assert [another.trajectories(program, [sequence])[0] for sequence in sequences] == together[:6]
    state = service.load(program)
    for action in sequences[0]:
        state = state.apply(action)
    assert state.count() == together[0].counts[-1]
    assert service.load(state.bitcode()).count() == state.count()


def test_levels_and_counts_are_those_of_the_printed_module(service: ServiceCompiler) -> None:
    program = program_of_the_corpus("zlib/zutil.bc")
    state = service.load(program)
    assert state.count() == len(re.findall(r"^  [%a-z]", state.text(), re.MULTILINE)) == 59
    assert [service.reference(program, level) for level in ("O0", "O3", "Oz")] == [59, 16, 16]


def edges(found: ProgramGraph) -> Counter[tuple[str, str, str, int, int]]:
    graph = found.graph
    text = ["ptr" if found.texts[i].endswith("*") else found.texts[i] for i in graph.node_features["text"]]
    relation = np.repeat(graph.relations, np.diff(graph.pointer[:, [0, -1]], axis=1).ravel())
    columns = (relation, graph.source, graph.target, graph.edge_features["position"], found.block_order)
    return Counter((r, text[s], text[t], int(p), int(b)) for r, s, t, p, b in zip(*columns, strict=True))


def test_counts_and_graphs_are_those_that_llvmlite_gives(service: ServiceCompiler, compiler: LlvmliteCompiler) -> None:
    for name in WITHOUT_LIFETIMES:
        program = program_of_the_corpus(name, "train.tar.xz")
        there, here = service.load(program, name), compiler.load(program, name)
        for kind in COUNTS:
            assert there.counts(kind).tolist() == here.counts(kind).tolist()
        assert edges(there.graph()) == edges(here.graph())


def test_lifetime_markers_alone_make_a_difference(service: ServiceCompiler, compiler: LlvmliteCompiler) -> None:
    for name in WITH_LIFETIMES:
        program = program_of_the_corpus(name)
        there, here = service.load(program, name), compiler.load(program, name)
        for kind, names in COUNTS.items():
            differing = there.counts(kind) != here.counts(kind)
            assert {name for name, differs in zip(names, differing, strict=True) if differs} <= REWRITTEN
        found, expected = (edges(state.graph()) for state in (there, here))
        assert [edge for edge in found - expected if edge[0] == "control"] == []


def test_damaged_bitcode_is_read_or_refused_and_the_next_program_goes_on(service: ServiceCompiler) -> None:
    program = program_of_the_corpus("zlib/zutil.bc")
    rng = np.random.default_rng(3)
    for _ in range(6):
        damaged = np.frombuffer(program, np.uint8).copy()
        damaged[rng.integers(len(damaged), size=5)] ^= 1 << rng.integers(8, size=5).astype(np.uint8)
        try:
            service.load(damaged.tobytes(), "damaged.bc")
        except InvalidProblem as error:
            assert str(error).startswith("damaged.bc")
    assert service.load(program).count() == 59


def test_functions_are_cut_by_its_own_passes_as_llvmlite_cuts_them(
    service: ServiceCompiler, compiler: LlvmliteCompiler
) -> None:
    program = Program("kissfft/kfc", "kissfft", program_of_the_corpus("kissfft/kfc.bc"))
    found = function_programs_by_passes(program, service, least=1).kept
    expected = function_programs(program, compiler, least=1).kept
    assert len(found) == 4 and [part.name for part in found] == [part.name for part in expected]
    for part, there in zip(found, expected, strict=True):
        assert service.load(part.bitcode).count() == compiler.load(part.bitcode).count()
        assert compiler.load(part.bitcode).count() == compiler.load(there.bitcode).count()
