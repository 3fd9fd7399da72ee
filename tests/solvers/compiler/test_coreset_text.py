from __future__ import annotations

import os
from pathlib import Path

import pytest

from runs.errors import ConfigError, InvalidProblem
from solvers.compiler.coreset_text import PublishedCoreset, write_text
from tests.solvers.compiler.counting_down import CountingDown


def published(folder: Path, text: str, names: str = "clear2\nclear0\ngrow\n") -> PublishedCoreset:
    (folder / "sequences.txt").write_text(text)
    (folder / "names.txt").write_text(names)
    return PublishedCoreset(str(folder / "sequences.txt"), str(folder / "names.txt"))


def test_numbers_stand_for_names_of_their_own_list(tmp_path: Path) -> None:
    assert published(tmp_path, "(0, 1)\n\n(2,)\n(1,1,0)\n").find(CountingDown()) == ((2, 0), (3,), (0, 0, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(0, 1)\n0 1\n", r"sequences.txt, line 2: expected a sequence as \(48, 112, 46\), found '0 1'"),
        ("()\n", r"sequences.txt, line 1: expected a sequence"),
        ("(0, 3)\n", r"line 1: 3 stands for none of the 3 names in .*names.txt"),
        ("\n", r"sequences.txt holds no sequence"),
    ],
)
def test_lines_of_another_form_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidProblem, match=message):
        published(tmp_path, text).find(CountingDown())


def test_a_compiler_without_these_passes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"counting down 1.* has no action '-licm'"):
        published(tmp_path, "(0,)", "-licm\n").find(CountingDown())
    with pytest.raises(ConfigError, match=r"absent.txt is missing"):
        PublishedCoreset(str(tmp_path / "absent.txt"), str(tmp_path / "names.txt")).find(CountingDown())


def test_names_are_translated_and_passes_that_are_gone_left_out(tmp_path: Path) -> None:
    coreset = published(tmp_path, "(0, 1, 2)\n(1,)\n", "-clear2\n-prune-eh\n-grow\n")
    assert PublishedCoreset(coreset.path, coreset.names, translate=True).find(CountingDown()) == ((2, 3),)


def test_the_published_coreset_has_50_sequences_of_4_to_20_passes() -> None:
    folder = Path(os.environ.get("REPRISE_DATA", "datasets"), "compiler")
    names = folder / "actions_llvm10.txt"
    if not names.exists():
        pytest.skip(f"it is not there: {names}")

    class Llvm10(CountingDown):
        @property
        def actions(self) -> tuple[str, ...]:
            return tuple(names.read_text().split())

    found = PublishedCoreset(str(folder / "coreset50_llvm10.txt"), str(names)).find(Llvm10())
    lengths = [len(sequence) for sequence in found]
    assert (len(found), sum(lengths), min(lengths), max(lengths)) == (50, 625, 4, 20)


def test_sequences_are_written_as_commands(tmp_path: Path) -> None:
    write_text(tmp_path / "text", [(0, 1), (3,)], CountingDown())
    assert (tmp_path / "text").read_text() == "count clear0 clear1\ncount grow\n"
