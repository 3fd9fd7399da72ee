"""Text files as sequences of word ids: reading and vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runs.errors import ConfigError

UNKNOWN = "<unk>"
"""The word for every word that is not in the vocabulary; its id is 0."""
BYTE_ORDER_MARK = "\ufeff"
TOKENS: dict[str, Callable[[str], list[str]]] = {
    "words": str.split,
    "characters": lambda line: list(" ".join(["", *line.split()])),
}
"""What a line is cut into: what white space separates, or its characters, white space being one."""


@dataclass(frozen=True)
class Vocabulary:
    """Words in order of their ids: ``<unk>``, then the others by how often they occur, ties in alphabetical order.

    Parameters
    ----------
    words
        (M,) all different, the first ``<unk>``.
    tokens
        What words are, a key of :data:`TOKENS`.
    """

    words: tuple[str, ...]
    tokens: str = "words"

    @classmethod
    def of(cls, path: Path, size: int, tokens: str = "words") -> Vocabulary:
        """The ``size`` most frequent words of a text file, ``<unk>`` included; fewer if it has no more.

        Raises
        ------
        ConfigError
            The file cannot be read, or ``size`` is below 2.
        """
        if size < 2:
            raise ConfigError(f"vocabulary_size is {size}; give at least 2: {UNKNOWN} and a word")
        counts: Counter[str] = Counter()
        for line in read_lines(path, tokens):
            counts.update(line)
        del counts[UNKNOWN]
        frequent = sorted(counts, key=lambda word: (-counts[word], word))
        return cls((UNKNOWN, *frequent[: size - 1]), tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id by word."""
        return {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        """M, the number of words."""
        return len(self.words)

    def encode(self, path: Path) -> npt.NDArray[np.int32]:
        """(words,) ids of a whole text file, 0 for words that are not known.

        Raises
        ------
        ConfigError
            The file cannot be read.
        """
        ids = self.ids
        return np.fromiter(
            (ids.get(word, 0) for line in read_lines(path, self.tokens) for word in line), dtype=np.int32
        )

    def decode(self, ids: npt.ArrayLike) -> list[str]:
        """Words of the ids."""
        return [self.words[index] for index in np.asarray(ids).tolist()]


def read_lines(path: Path, tokens: str = "words") -> Iterator[list[str]]:
    """The lower-cased words of each line of a UTF-8 file, without its byte order mark.

    Parameters
    ----------
    tokens
        What words are, a key of :data:`TOKENS`.

    Raises
    ------
    ConfigError
        The file is missing, cannot be opened, is not UTF-8 (names the line), or holds no word.
    """
    cut = TOKENS[tokens]
    empty = True
    read = 0
    try:
        with path.open("rb") as file:
            for line in file:
                text = line.decode("utf-8")
                words = cut((text if read else text.removeprefix(BYTE_ORDER_MARK)).lower())
                read += 1
                empty = empty and not words
                yield words
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}, line {read + 1}: not UTF-8 ({error.reason} at byte {error.start}); convert the file, say with iconv"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    if empty:
        raise ConfigError(f"{path} holds no word; give a text file that is not empty")
