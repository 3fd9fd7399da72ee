"""Where programs come from: an archive, files of one's own, chance."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.compiler import corpus
from data.compiler.clang import Clang
from data.compiler.corpus import read_corpus
from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.own_programs import read_programs
from data.compiler.program import Program
from runs.errors import ConfigError, InvalidProblem, MissingDependency
from tests.data.compiler.modules import SUM, SUM_COUNT, archive


def test_members_of_an_archive_are_programs_of_families(tmp_path: Path) -> None:
    archive(tmp_path, {"lua/lapi.bc": b"1", "./lua/lex.bc": b"2", "zlib/inf.bc": b"3", "README.md": b"4"})
    programs = read_corpus(tmp_path, "train")
    assert programs == (
        Program("lua/lapi", "lua", b"1"),
        Program("lua/lex", "lua", b"2"),
        Program("zlib/inf", "zlib", b"3"),
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"alone.bc": b""}, r"train.tar.xz: member alone is of no family; call it family/alone.bc"),
        ({"a/b.bc": b"", "./a/b.bc": b""}, r"train.tar.xz has a/b twice"),
        ({"a/b.bc": bytes(101)}, r"train.tar.xz: member a/b has 101 bytes, more than 100; leave it out"),
    ],
)
def test_an_archive_of_another_form_is_refused(
    tmp_path: Path, members: dict[str, bytes], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "MOST_BYTES", 100)
    archive(tmp_path, members)
    with pytest.raises(InvalidProblem, match=message):
        read_corpus(tmp_path, "train")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a/b.bc": os.urandom(5000)})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InvalidProblem, match=r"train.tar.xz is no whole tar.xz archive"):
        read_corpus(tmp_path, "train")


def test_a_missing_archive_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"val.tar.xz is missing; "):
        read_corpus(tmp_path, "val")
    with pytest.raises(ConfigError, match=r"data.split is 'valid'; did you mean 'val'"):
        read_corpus(tmp_path, "valid")  # type: ignore[arg-type]


def test_a_folder_holds_families_and_a_damaged_file_is_named(tmp_path: Path, compiler: LlvmliteCompiler) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    bitcode = compiler.load(SUM).bitcode()
    (tmp_path / "sum.ll").write_bytes(SUM)
    (tmp_path / "deep" / "er" / "sum.bc").write_bytes(bitcode)
    (tmp_path / "deep" / "half.bc").write_bytes(bitcode[:99])
    (tmp_path / "deep" / "only.ll").write_text("declare void @f()")
    (tmp_path / ".hidden" / "sum.ll").write_bytes(SUM)
    (tmp_path / "notes.txt").write_text("no program")
    programs = read_programs(tmp_path, compiler)
    assert [(program.name, program.family) for program in programs.kept] == [
        ("deep/er/sum.bc", "deep/er"),
        ("sum.ll", tmp_path.name),
    ]
    assert programs.refused.keys() == {"deep/half.bc", "deep/only.ll"}
    assert "deep/only.ll defines no function" in programs.refused["deep/only.ll"]
    assert [compiler.load(program.bitcode).count() for program in programs.kept] == [SUM_COUNT] * 2


def test_a_single_file_is_a_program_or_an_error(tmp_path: Path, compiler: LlvmliteCompiler) -> None:
    good, bad, other = (tmp_path / name for name in ("good.ll", "bad.bc", "x.cpp"))
    good.write_bytes(SUM)
    bad.write_bytes(b"text")
    other.write_text("int main() { return 0; }")
    assert [program.name for program in read_programs(good, compiler).kept] == ["good.ll"]
    with pytest.raises(InvalidProblem, match=r"no program is left of 1; bad.bc: LLVM 22.* cannot read it"):
        read_programs(bad, compiler)
    with pytest.raises(ConfigError, match=r"x.cpp is no .bc, .ll or .c file"):
        read_programs(other, compiler)
    with pytest.raises(ConfigError, match=r"there is no .*absent"):
        read_programs(tmp_path / "absent", compiler)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidProblem, match=r"no program is left of 0; it holds no .bc, .ll or .c file"):
        read_programs(tmp_path / "empty", compiler)


STAND_IN_CLANG = """#!/bin/sh
# Takes what follows the word "module" in a file of C for what it compiles to
for word in "$@"; do case "$word" in *.c) source=$word;; esac; last=$word; done
echo "$@" > "$(dirname "$0")/called"
if grep -q '#include "absent.h"' "$source"; then
  echo "$source:1:10: fatal error: 'absent.h' file not found" >&2
  echo "1 error generated." >&2
  exit 1
fi
sed '1,/^module$/d' "$source" > "$last"
"""


@pytest.fixture
def clang(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "clang"
    path.write_text(STAND_IN_CLANG)
    path.chmod(0o755)
    return path


def test_c_is_compiled_with_the_flags_of_its_user(tmp_path: Path, clang: Path, compiler: LlvmliteCompiler) -> None:
    (tmp_path / "sum.c").write_bytes(b"// C\nmodule\n" + SUM)
    (tmp_path / "bad.c").write_text('#include "absent.h"\n')
    found = read_programs(tmp_path, compiler, Clang(str(clang), "-Isome -DNAME='a b'"))
    assert [(program.name, compiler.load(program.bitcode).count()) for program in found.kept] == [("sum.c", SUM_COUNT)]
    called = clang.with_name("called").read_text()
    assert "-O1 -Xclang -disable-llvm-passes -emit-llvm -c" in called and "-Isome -DNAME=a b" in called
    assert found.refused["bad.c"].startswith("bad.c: clang cannot compile it (")
    assert "bad.c:1:10: fatal error: 'absent.h' file not found); see data.flags" in found.refused["bad.c"]


def test_c_that_is_not_to_be_compiled_is_named(
    tmp_path: Path, compiler: LlvmliteCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "x.c"
    source.write_text("int main(void) { return 0; }")
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"there is none: .*data.clang=FILE, or take the extra 'c'"):
        read_programs(source, compiler)
    (tmp_path / "sum.ll").write_bytes(SUM)
    found = read_programs(tmp_path, compiler)
    assert [program.name for program in found.kept] == ["sum.ll"] and found.refused["x.c"].startswith(
        "x.c: C is compiled by"
    )
    with pytest.raises(ConfigError, match=r"data.flags: -D'x cannot be taken apart \(No closing quotation\)"):
        Clang(flags="-D'x")


def test_a_real_clang_makes_what_passes_have_not_seen(tmp_path: Path, compiler: LlvmliteCompiler) -> None:
    (tmp_path / "x.c").write_text("int twice(int x) { int y = x; return y + y; }\n")
    try:
        command = Clang(os.environ.get("REPRISE_CLANG")).command()
    except MissingDependency as error:
        pytest.skip(str(error))
    (program,) = read_programs(tmp_path / "x.c", compiler, Clang(command[0] if len(command) == 1 else None)).kept
    assert compiler.reference(program.bitcode) < compiler.load(program.bitcode).count()


def test_programs_are_named_by_their_content(compiler: LlvmliteCompiler) -> None:
    assert Program("a", "a", SUM).digest == Program("b", "b", SUM).digest != Program("a", "a", SUM + b" ").digest


def test_drawn_programs_are_the_same_for_a_seed_and_passes_shrink_them(compiler: LlvmliteCompiler) -> None:
    programs = drawn_programs(6, seed=3)
    assert programs == drawn_programs(6, seed=3) == drawn_programs(8, seed=3)[:6]
    assert programs != drawn_programs(6, seed=4)
    for program in programs:
        program.validate(compiler)
        assert 0 < compiler.reference(program.bitcode) < compiler.load(program.bitcode).count()


def test_the_objective_is_the_least_count_on_the_way(compiler: LlvmliteCompiler) -> None:
    program = Program("a/sum", "a", SUM)
    sequence = tuple(compiler.actions.index(name) for name in ("sroa", "register_to_memory"))
    assert program.trajectory(compiler, sequence).counts[0] == SUM_COUNT
    assert program.objective(compiler, sequence) == compiler.load(SUM).apply(sequence[0]).count() == 11


def test_settings_of_drawn_programs_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"data.statements is 0; give at least 1"):
        drawn_programs(1, statements=0)
