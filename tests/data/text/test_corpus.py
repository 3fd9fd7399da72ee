"""Text files as word ids: whatever the file, what is read is what is in it, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text.corpus import UNKNOWN, Vocabulary, read_lines
from runs.errors import ConfigError

TEXT = "The cat saw the <unk> .\n\n The DOG , the cat\tand Ärger\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_words_are_lower_cased_and_split_at_white_space(text: Path) -> None:
    words = [word for line in read_lines(text) for word in line]
    assert words == ["the", "cat", "saw", "the", "<unk>", ".", "the", "dog", ",", "the", "cat", "and", "ärger"]


def test_ids_go_by_frequency_and_unknown_is_zero_however_often_it_occurs(text: Path) -> None:
    text.write_text(TEXT + "<unk> " * 9, encoding="utf-8")
    vocabulary = Vocabulary.of(text, 100)
    assert vocabulary.words == (UNKNOWN, "the", "cat", ",", ".", "and", "dog", "saw", "ärger")


def test_a_limited_vocabulary_keeps_the_most_frequent_words(text: Path) -> None:
    vocabulary = Vocabulary.of(text, 3)
    assert vocabulary.words == (UNKNOWN, "the", "cat")
    assert vocabulary.encode(text).tolist() == [1, 2, 0, 1, 0, 0, 1, 0, 0, 1, 2, 0, 0]


@given(words=st.lists(st.sampled_from(["a", "b", "c", "dé", "e", UNKNOWN]), min_size=1, max_size=40))
def test_decoding_gives_back_a_text_whose_words_are_all_known(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("text") / "t"
    path.write_text("\n".join(words), encoding="utf-8")
    vocabulary = Vocabulary.of(path, 6)
    assert vocabulary.decode(vocabulary.encode(path)) == words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no word"),
        (b" \n\t\n", "holds no word"),
        (b"good\nline\n\xff\xfe bad\n", "line 3: not UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_text_is_named_with_the_reason(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        Vocabulary.of(path, 10)
    assert str(path) in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_first_word(text: Path) -> None:
    text.write_bytes(b"\xef\xbb\xbfthe cat\nthe \xef\xbb\xbfcat\n")
    assert [word for line in read_lines(text) for word in line] == ["the", "cat", "the", "\ufeffcat"]


def test_a_text_without_spaces_is_read_by_its_characters(text: Path) -> None:
    text.write_text("猫が 見る。\n\n犬が\n", encoding="utf-8")
    assert ["".join(line) for line in read_lines(text, "characters")] == [" 猫が 見る。", "", " 犬が"]
    vocabulary = Vocabulary.of(text, 100, "characters")
    assert vocabulary.words[:3] == (UNKNOWN, " ", "が")
    assert "".join(vocabulary.decode(vocabulary.encode(text))) == " 猫が 見る。 犬が"


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        Vocabulary.of(tmp_path, 10)


def test_a_vocabulary_without_a_word_is_refused(text: Path) -> None:
    with pytest.raises(ConfigError, match="vocabulary_size is 1"):
        Vocabulary.of(text, 1)
