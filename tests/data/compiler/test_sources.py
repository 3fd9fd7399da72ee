from __future__ import annotations

from pathlib import Path

import pytest

from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.instances import CompiledPrograms
from data.compiler.sources import Corpus, Drawn, Functions, Own, Portion
from runs.errors import ConfigError, InvalidProblem
from tests.data.compiler.modules import SUM, SUM_COUNT, archive
from tests.data.compiler.test_functions import BLOCK_OF_ANOTHER, TWO

RENAMED = SUM.replace(b"@sum", b"@add_up").replace(b"%total", b"%whole")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of one part and two families."""
    archive(tmp_path, {"a/two.bc": TWO, "a/sum.bc": SUM, "b/again.bc": RENAMED})
    archive(tmp_path, {"c/sum.bc": RENAMED, "c/odd.bc": BLOCK_OF_ANOTHER}, "test")
    return tmp_path


def functions(folder: Path, split: str, **settings: object) -> Functions:
    return Functions(Corpus(str(folder), split), str(folder / "cache"), **({"least": 1} | settings))  # type: ignore[arg-type]


def test_families_of_the_corpus_can_be_chosen(folder: Path, compiler: LlvmliteCompiler) -> None:
    found = Corpus(str(folder), "train", ["b"]).read(compiler)
    assert [program.name for program in found.kept] == ["b/again"]
    with pytest.raises(ConfigError, match="train has no 'lau'"):
        Corpus(str(folder), "train", ["lau"]).read(compiler)


def test_functions_that_are_equal_up_to_names_are_kept_once(folder: Path, compiler: LlvmliteCompiler) -> None:
    for _ in range(2):  # cut, then read
        found = functions(folder, "train").read(compiler)
        assert [program.name for program in found.kept] == ["a/two/first one", "a/two/second", "a/sum/sum"]
        assert not found.refused
        assert compiler.load(found.kept[2].bitcode).count() == SUM_COUNT


def test_no_function_that_is_learned_on_is_tested(folder: Path, compiler: LlvmliteCompiler) -> None:
    found = functions(folder, "test", apart_from=functions(folder, "train")).read(compiler)
    assert [program.name for program in found.kept] == ["c/odd/first"]
    assert [*found.refused] == ["c/odd/second"]  # its block of another cannot stand alone


def test_of_each_family_so_many_are_drawn(folder: Path, compiler: LlvmliteCompiler) -> None:
    whole = functions(folder, "train").read(compiler).kept
    drawn = functions(folder, "train", per_family=2).read(compiler).kept
    assert len(drawn) == 2 and [program for program in whole if program in drawn] == list(drawn)
    assert functions(folder, "train", per_family=2).read(compiler).kept == drawn
    others = {functions(folder, "train", per_family=1, seed=seed).read(compiler).kept for seed in range(8)}
    assert len(others) > 1


def test_problems_are_programs_with_their_compiler(compiler: LlvmliteCompiler) -> None:
    data = CompiledPrograms(compiler, Drawn(count=5, seed=3), count=2, first=1)
    data.setup()
    assert data.test_problems is not None and len(data.test_problems) == 2  # type: ignore[arg-type]
    index, problem = data.test_problems[1]
    assert (index, problem.name, problem.family) == (2, "0002", "drawn")
    assert problem.program == drawn_programs(5, 3)[2] and data.left_out == ""


def test_what_cannot_be_optimised_is_left_out_by_name(tmp_path: Path, compiler: LlvmliteCompiler) -> None:
    for name, text in {"empty": b"", "sum": SUM}.items():
        (tmp_path / f"{name}.ll").write_bytes(text)
    data = CompiledPrograms(compiler, Own(str(tmp_path)), name="own")
    data.setup()
    assert len(data.test_problems) == 1  # type: ignore[arg-type]
    assert data.left_out.startswith("1 programs of own: empty.ll")
    late = CompiledPrograms(compiler, Own(str(tmp_path)), first=1)
    with pytest.raises(InvalidProblem, match="no program is left"):
        late.setup()


def test_portions_share_no_program_and_leave_none_out(compiler: LlvmliteCompiler) -> None:
    whole = Drawn(10).read(compiler).kept
    parts = [Portion(Drawn(10), *ends).read(compiler).kept for ends in ((0, 0.6), (0.6, 0.8), (0.8, 1))]
    assert [len(part) for part in parts] == [6, 2, 2]
    assert sorted(program.name for part in parts for program in part) == [program.name for program in whole]
    with pytest.raises(InvalidProblem, match=r"of 1 programs none is left between 0.6 and 0.8; give more files"):
        Portion(Drawn(1), 0.6, 0.8).read(compiler)
    with pytest.raises(ConfigError, match=r"a portion from 0\.5 to 0\.5"):
        Portion(Drawn(1), 0.5, 0.5)


def test_functions_of_programs_that_are_too_large_are_left_aside(folder: Path, compiler: LlvmliteCompiler) -> None:
    found = functions(folder, "train", most_bytes=len(TWO)).read(compiler)
    assert {program.name.split("/")[1] for program in found.kept} == {
        name for name, text in (("two", TWO), ("sum", SUM)) if len(text) <= len(TWO)
    }


def test_a_program_without_functions_is_read_once(
    tmp_path: Path, compiler: LlvmliteCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path, {"a/data.bc": b"@table = constant i32 3\n", "a/sum.bc": SUM})
    for _ in range(2):
        assert [program.name for program in functions(tmp_path, "train").read(compiler).kept] == ["a/sum/sum"]
        monkeypatch.setattr("data.compiler.sources.function_programs", None)
