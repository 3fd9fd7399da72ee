"""What networks see of a program, against counts by hand and those of CompilerGym's service."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from data.compiler.contained import listing_of
from data.compiler.counts import AUTOPHASE, INST_COUNT, TOTAL
from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.program_graph import EXTERNAL, UNDEFINED, ProgramGraph, program_graph
from runs.errors import ConfigError
from tests.data.compiler.modules import SUM, SUM_COUNT, program_of_the_corpus

SHAPES = b"""
@text = private constant [3 x i8] c"hi\\00"
declare i32 @printf(ptr, ...)
declare void @exit(i32) noreturn
define i32 @choose(i32 %x, i1 %c, i32 %unused) {
start:
  switch i32 %x, label %last [
    i32 1, label %one
    i32 7, label %one
  ]
one:
  br i1 %c, label %last, label %fatal
last:
  %y = phi i32 [ 0, %start ], [ %x, %one ]
  %z = add i32 %y, 1
  %p = call i32 (ptr, ...) @printf(ptr @text, i32 %z)
  ret i32 %z
fatal:
  call void @exit(i32 1)
  unreachable
}
define i32 @twice(i32 %x) {
  %a = call i32 @choose(i32 %x, i1 true, i32 0)
  ret i32 %a
}
"""


def counted(compiler: LlvmliteCompiler, module: bytes) -> dict[str, int]:
    return dict(zip(AUTOPHASE, compiler.load(module).counts("autophase").tolist(), strict=True))


def graph_of(compiler: LlvmliteCompiler, module: bytes) -> ProgramGraph:
    return compiler.load(module).graph()


def edges(found: ProgramGraph, relation: str) -> Counter[tuple[str, str, int]]:
    """By the texts of their ends, and their position."""
    graph = found.graph
    part = graph.of_relation(relation)
    text = [found.texts[i] for i in graph.node_features["text"]]
    ends = zip(graph.source[part], graph.target[part], graph.edge_features["position"][part], strict=True)
    return Counter((text[source], text[target], int(position)) for source, target, position in ends)


def test_opcodes_blocks_and_functions_are_counted(compiler: LlvmliteCompiler) -> None:
    found = dict(zip(INST_COUNT, compiler.load(SHAPES).counts("inst_count").tolist(), strict=True))
    expected = {"Switch": 1, "Br": 1, "PHI": 1, "Add": 1, "Call": 3, "Ret": 2, "Unreachable": 1}
    assert {name: count for name, count in found.items() if count and not name.startswith("Total")} == expected
    assert (found["TotalInsts"], found["TotalBlocks"], found["TotalFuncs"]) == (10, 5, 4)


def test_shapes_of_blocks_are_counted_with_every_edge(compiler: LlvmliteCompiler) -> None:
    found = counted(compiler, SHAPES)
    assert found["NumEdges"] == 5  # the switch has three
    assert (found["onePred"], found["twoPred"], found["morePreds"]) == (1, 2, 0)
    assert (found["oneSuccessor"], found["twoSuccessor"], found["twoEach"]) == (0, 1, 1)
    assert found["CriticalCount"] == 4  # all but the one to the block that ends the program
    assert (found["BranchCount"], found["UncondBranches"]) == (1, 0)
    assert (found["BBNoPhi"], found["BB03Phi"], found["BeginPhi"], found["ArgsPhi"]) == (4, 1, 1, 2)
    assert (found["BBNumArgsLo"], found["BBNumArgsHi"]) == (1, 0)
    assert (found["BlockLow"], found["BlockMid"]) == (5, 0)


def test_constants_of_operands_are_counted_cases_included(compiler: LlvmliteCompiler) -> None:
    found = counted(compiler, SHAPES)
    assert found["const32Bit"] == 6  # 1 and 7 of the switch, 0 of the phi, 1 of the sum, 1 of exit, 0 of the last call
    assert found["const64Bit"] == 0
    assert (found["numConstZeroes"], found["numConstOnes"]) == (2, 4)  # true is a one
    assert (found["binaryConstArg"], found["returnInt"]) == (1, 2)
    assert (found["TotalMemInst"], found["testUnary"]) == (3, 0)


def test_totals_agree_with_the_count_of_the_state(compiler: LlvmliteCompiler) -> None:
    for program in drawn_programs(3):
        state = compiler.load(program.bitcode)
        assert state.counts("autophase")[TOTAL] == state.counts("inst_count")[0] == state.count()


def test_a_function_called_as_one_of_another_type_is_not_called_directly(compiler: LlvmliteCompiler) -> None:
    calls = b"  %a = call i32 @f(i32 1)\n  %b = call i32 (...) @f(i32 1)\n"
    module = b"declare i32 @f(...)\ndefine void @g() {\n" + calls + b"  ret void\n}"
    assert counted(compiler, module)["returnInt"] == 1


def test_features_follow_a_state_on_its_way(compiler: LlvmliteCompiler) -> None:
    state = compiler.load(SUM).apply(compiler.actions.index("sroa"))
    found = dict(zip(INST_COUNT, state.counts("inst_count").tolist(), strict=True))
    assert (found["TotalInsts"], found["PHI"], found["Alloca"], found["Load"]) == (11, 2, 0, 1)


def test_counts_of_another_kind_are_refused(compiler: LlvmliteCompiler) -> None:
    with pytest.raises(ConfigError, match=r"there are no counts 'autophases'; did you mean 'autophase'"):
        compiler.load(SUM).counts("autophases")  # type: ignore[arg-type]


def test_control_goes_from_instruction_to_instruction(compiler: LlvmliteCompiler) -> None:
    assert edges(graph_of(compiler, SHAPES), "control") == Counter(
        {
            ("switch", "phi", 0): 1,
            ("switch", "br", 0): 2,  # two cases lead there
            ("br", "phi", 0): 1,
            ("br", "call", 0): 1,
            ("phi", "add", 0): 1,
            ("add", "call", 0): 1,
            ("call", "ret", 0): 2,
            ("call", "unreachable", 0): 1,
        }
    )


def test_data_goes_through_variables_at_its_position(compiler: LlvmliteCompiler) -> None:
    found = graph_of(compiler, SHAPES)
    assert edges(found, "data") == Counter(
        {
            ("i32", "switch", 0): 1,
            ("i32", "switch", 2): 1,
            ("i32", "switch", 4): 1,
            ("i1", "br", 0): 1,
            ("i32", "phi", 0): 1,
            ("i32", "phi", 1): 1,
            ("phi", "i32", 0): 1,
            ("i32", "add", 0): 1,
            ("i32", "add", 1): 1,
            ("add", "i32", 0): 2,  # a variable for each use
            ("ptr", "call", 0): 1,
            ("i32", "call", 1): 1,
            ("i32", "ret", 0): 2,
            ("i32", "call", 0): 2,
            ("i1", "call", 1): 1,
            ("i32", "call", 2): 1,
            ("call", "i32", 0): 1,
        }
    )
    features = found.graph.node_features
    texts = [found.texts[i] for i in features["text"]]
    kinds = Counter(zip(features["type"].tolist(), texts, strict=True))
    # variables: the sum twice, the phi, the last call, and of the arguments those that are used; constants: 0, 1, 7
    assert (kinds[1, "i32"], kinds[1, "i1"], kinds[2, "i32"], kinds[2, "i1"], kinds[2, "ptr"]) == (6, 1, 3, 1, 1)


def test_calls_go_there_and_back_and_exits_lead_outside(compiler: LlvmliteCompiler) -> None:
    assert edges(graph_of(compiler, SHAPES), "call") == Counter(
        {
            (EXTERNAL, UNDEFINED, 0): 2,
            (UNDEFINED, EXTERNAL, 0): 2,
            (EXTERNAL, "switch", 0): 1,
            (EXTERNAL, "call", 0): 1,
            ("ret", EXTERNAL, 0): 2,
            ("unreachable", EXTERNAL, 0): 1,
            ("call", UNDEFINED, 0): 2,
            (UNDEFINED, "call", 0): 2,
            ("call", "switch", 0): 1,
            ("ret", "call", 0): 1,
            ("unreachable", "call", 0): 1,
        }
    )


def test_edges_know_whether_they_lead_back(compiler: LlvmliteCompiler) -> None:
    found = graph_of(compiler, SUM)
    control = found.block_order[found.graph.of_relation("control")]
    assert Counter(control.tolist()) == {0: SUM_COUNT - 4, -1: 3, 1: 1}


def test_no_control_is_followed_from_where_it_never_comes(compiler: LlvmliteCompiler) -> None:
    module = b"define void @f() {\n  ret void\ndead:\n  br label %next\nnext:\n  ret void\n}"
    assert not edges(graph_of(compiler, module), "control")


def test_functions_and_structures_have_no_names(compiler: LlvmliteCompiler) -> None:
    head = b"%pair = type { i32, i32 }\ndeclare void @f()\ndefine ptr @g() {\n"
    memory = b"  %a = alloca %pair\n  store ptr @f, ptr %a\n  %b = load %pair, ptr %a\n"
    module = head + memory + b"  %c = extractvalue %pair %b, 0\n  ret ptr @f\n}"
    found = edges(graph_of(compiler, module), "data")
    assert found["struct", "extractvalue", 0] == 1
    assert not any(target == "ret" for _, target, _ in found)
    assert found["ptr", "store", 1] == 1 and ("ptr", "store", 0) not in found


# Of zlib/zutil, by CompilerGym 0.2.5 with LLVM 10
AUTOPHASE_THERE = """
0 1 2 1 1 2 2 1 0 2 0 1 0 8 1 4 0 2 6 11 8 2 8 2 5 0 4 7 0 1 8 2 4 4 1 2 0 14 1 0 1 5 1 0 0 11 1 0 0 1 9 59 37 9 2 25
"""
COUNTS_THERE = """
TotalInsts 59 TotalBlocks 9 TotalFuncs 9 Ret 5 Br 4 Add 4 Sub 1 Mul 1 Alloca 7 Load 14 Store 11 GetElementPtr 1 ZExt 1
SExt 1 BitCast 2 ICmp 2 PHI 1 Call 4
"""


def test_counts_are_those_of_the_service_but_for_what_a_newer_llvm_rewrites(compiler: LlvmliteCompiler) -> None:
    """It drops the size of a lifetime, which is a constant of 64 bits, and leaves two declarations behind."""
    state = compiler.load(program_of_the_corpus("zlib/zutil.bc"))
    there = np.array(AUTOPHASE_THERE.split(), int)
    difference = dict(zip(AUTOPHASE, (state.counts("autophase") - there).tolist(), strict=True))
    assert {name: value for name, value in difference.items() if value} == {"const64Bit": -2, "TotalFuncs": 2}
    counts = dict(zip(INST_COUNT, state.counts("inst_count").tolist(), strict=True))
    words = COUNTS_THERE.split()
    there_too = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert {name: count for name, count in counts.items() if count} == there_too | {"TotalFuncs": 11}


def test_the_parts_of_a_listing_fit_together(compiler: LlvmliteCompiler) -> None:
    for program in drawn_programs(3, seed=1):
        found = listing_of(compiler.load(program.bitcode))
        assert len(found.block) == len(found.opcode) == len(found.result) == len(found.callee)
        assert (np.diff(found.block) >= 0).all() and (np.diff(found.block_function) >= 0).all()
        assert found.source[found.origin == 0].max() < len(found.block)
        graph = program_graph(found).graph
        assert graph.nodes == max(graph.source.max(), graph.target.max()) + 1
