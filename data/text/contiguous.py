"""Language-model batches that run through a text in order, as columns side by side."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
import torch.distributed
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from data.download import DataFile
from data.loading import one_by_one, place
from data.text.corpus import TOKENS, Vocabulary
from runs.errors import ConfigError, at_least, nearest
from runs.text import printable

_log = logging.getLogger(__name__)

HELD_OUT = 0.1
"""Share of a single text, at its end, that evaluates instead of training."""
MANY_UNKNOWN = 0.1
"""Share of unknown words that is worth a warning."""


class ContiguousText(pl.LightningDataModule):
    """Words of one text to train on and of another to evaluate on, in batches (columns, context + 1) of word ids.

    The vocabulary is that of the training text, or of all of a text of your own. Batches come in the order of the text, the
    same in every epoch; a resumed epoch goes on where it stopped. Under ``torch.distributed`` the ranks share the columns of
    every batch equally.

    Parameters
    ----------
    name
        Name of the pair of texts; a text of your own is called by its file, whatever stands here.
    vocabulary_size
        At most so many words get an id of their own, the most frequent ones, ``<unk>`` included.
    train, evaluation
        The two texts; not read if ``path`` is given.
    path
        A UTF-8 text file of your own instead, the last tenth of which evaluates.
    batch_size
        Columns, over all ranks.
    context
        Tokens per sequence.
    evaluation_batches
        Batches, spread evenly over the evaluation text, on which training is watched; the test takes all.
    tokens
        What words are: "words", between white space, or "characters", for texts without spaces.

    Attributes
    ----------
    own
        Whether the text is one of your own, whose size decides that of the network's tables.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        name: str | None,
        vocabulary_size: int,
        train: DataFile | None = None,
        evaluation: DataFile | None = None,
        path: str | None = None,
        batch_size: int = 20,
        context: int = 35,
        evaluation_batches: int = 10,
        tokens: str = "words",
    ) -> None:
        super().__init__()
        if path is None and (train is None or evaluation is None):
            raise ConfigError("data.path is null; give a text file, or both data.train and data.evaluation")
        at_least(
            "data.",
            vocabulary_size=(vocabulary_size, 2),
            batch_size=(batch_size, 1),
            context=(context, 1),
            evaluation_batches=(evaluation_batches, 1),
        )
        if tokens not in TOKENS:
            raise ConfigError(f"data.tokens is '{tokens}'{nearest(tokens, list(TOKENS))}")
        self.name = (name or "text") if path is None else printable(Path(path).stem)
        self.tokens, self.own = tokens, path is not None
        self.vocabulary_size = vocabulary_size
        self.train, self.evaluation = train, evaluation
        self.path = path
        self.batch_size, self.context, self.evaluation_batches = batch_size, context, evaluation_batches

    def setup(self, stage: str | None = None) -> None:
        """Read the texts, fetched first where they are missing.

        Raises
        ------
        ConfigError
            A text is missing, empty, not UTF-8 or too short, or the ranks cannot share the columns: names the setting.
        """
        if hasattr(self, "vocabulary"):
            return
        if self.path is not None:
            train, evaluation = self._halves(Path(self.path).expanduser())
        else:
            train, evaluation = self._texts()
        if place()[1] == 0:
            self._say_coverage(train, evaluation)
        self.train_windows = Windows(share_of_rank(train), self.context)
        self.evaluation_windows = Windows(share_of_rank(evaluation), self.context)

    def _say_coverage(self, train: Tensor, evaluation: Tensor) -> None:
        """How much of the texts the vocabulary knows, and what to do where that is little."""
        known, seen = len(self.vocabulary), train.numel() + evaluation.numel()
        shares = [float((ids == 0).double().mean()) for ids in (train, evaluation)]
        unknown = f"{shares[0]:.1%} of the words to train on and {shares[1]:.1%} of those to evaluate on are unknown"
        if max(shares) <= MANY_UNKNOWN:
            _log.info("%s: %d words, and a vocabulary of %d; %s", self.name, seen, known, unknown)
            return
        spaces = "" if self.tokens == "characters" else ", or read a text without spaces by data.tokens=characters"
        _log.warning(
            "%s: %d words, and a vocabulary of %d; %s. Give a larger data.vocabulary_size (now %d)%s",
            *(self.name, seen, known, unknown, self.vocabulary_size, spaces),
        )

    def train_dataloader(self) -> DataLoader[Tensor]:
        """The training text in order."""
        return one_by_one(self.train_windows)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Batches spread evenly over the evaluation text, always the same."""
        windows = self.evaluation_windows
        chosen = np.unique(np.linspace(0, len(windows) - 1, self.evaluation_batches).round().astype(int))
        return _in_order(Subset(windows, chosen.tolist()))

    def test_dataloader(self) -> DataLoader[Tensor]:
        """The whole evaluation text."""
        return _in_order(self.evaluation_windows)

    def _texts(self) -> tuple[Tensor, Tensor]:
        assert self.train is not None and self.evaluation is not None
        with _setting("data.train"):
            path = self.train.find()
            self.vocabulary = Vocabulary.of(path, self.vocabulary_size, self.tokens)
            train = as_columns(self.vocabulary.encode(path), self.batch_size, self.context)
        with _setting("data.evaluation"):
            path = self.evaluation.find()
            return train, as_columns(self.vocabulary.encode(path), self.batch_size, self.context)

    def _halves(self, path: Path) -> tuple[Tensor, Tensor]:
        with _setting("data.path"):
            self.vocabulary = Vocabulary.of(path, self.vocabulary_size, self.tokens)
            ids = self.vocabulary.encode(path)
            kept = round(len(ids) * (1 - HELD_OUT))
            train = as_columns(ids[:kept], self.batch_size, self.context)
        with _setting("data.path, the last tenth that evaluates"):
            return train, as_columns(ids[kept:], self.batch_size, self.context)


class Windows(Dataset[Tensor]):
    """Item i is the i-th stretch of every column: ``context + 1`` tokens, the last of which begins item i + 1.

    Parameters
    ----------
    columns
        (columns, length) token ids. What fills no whole stretch at the end is left out.
    context
        Tokens to predict per stretch.
    """

    def __init__(self, columns: Int[Tensor, "columns length"], context: int) -> None:
        self.columns = columns
        self.context = context

    def __len__(self) -> int:
        return (self.columns.shape[1] - 1) // self.context

    def __getitem__(self, index: int) -> Int[Tensor, "columns tokens"]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self.context
        return self.columns[:, start : start + self.context + 1].long()


def as_columns(ids: npt.NDArray[np.int32], columns: int, context: int) -> Int[Tensor, "columns length"]:
    """A text (words,) cut into consecutive columns of equal length; what is left over at the end is dropped.

    Raises
    ------
    ConfigError
        A column would be shorter than one context and the word after it.
    """
    length = len(ids) // columns
    if length <= context:
        raise ConfigError(
            f"the text has {len(ids)} words; data.batch_size {columns} times one data.context {context} and the word after "
            f"it take {columns * (context + 1)}. Give a longer text, lower one of the two, "
            "or read a text without spaces by data.tokens=characters"
        )
    return torch.from_numpy(ids[: columns * length].reshape(columns, length))


def share_of_rank(columns: Int[Tensor, "columns length"]) -> Int[Tensor, "share length"]:
    """The columns of this rank: equal consecutive shares in order of rank; all of them without ``torch.distributed``.

    Raises
    ------
    ConfigError
        The columns cannot be shared equally.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return columns
    ranks, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    if len(columns) % ranks:
        raise ConfigError(
            f"data.batch_size is {len(columns)}, which {ranks} processes cannot share equally; give a multiple of {ranks}"
        )
    return columns.chunk(ranks)[rank]


@contextlib.contextmanager
def _setting(name: str) -> Iterator[None]:
    """Errors inside begin with the setting they are about."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _in_order(windows: Dataset[Tensor]) -> DataLoader[Tensor]:
    # a generator of its own: a loader without one draws from the global random state that a resumed training restores
    return DataLoader(windows, batch_size=None, generator=torch.Generator())
