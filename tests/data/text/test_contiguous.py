"""Contiguous batches: every word in its place, the same order whenever an epoch begins or goes on."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.download import DataFile
from data.text.contiguous import ContiguousText, Windows, as_columns, share_of_rank
from runs.errors import ConfigError

DATA = Path(os.environ.get("REPRISE_DATA", "datasets")) / "text"


def written(path: Path, words: int) -> Path:
    """A text of that many words, each of which names its place."""
    path.write_text(" ".join(f"w{i}" for i in range(words)))
    return path


@given(words=st.integers(12, 300), columns=st.integers(1, 5), context=st.integers(1, 7))
def test_each_target_follows_its_word_and_none_is_predicted_twice(words: int, columns: int, context: int) -> None:
    if words // columns <= context:
        with pytest.raises(ConfigError, match=f"{words} words"):
            as_columns(np.arange(words, dtype=np.int32), columns, context)
        return
    windows = Windows(as_columns(np.arange(words, dtype=np.int32), columns, context), context)
    stretches = torch.stack([windows[i] for i in range(len(windows))])
    assert stretches.shape == (len(windows), columns, context + 1)
    assert (stretches[..., 1:] == stretches[..., :-1] + 1).all()
    targets = stretches[..., 1:].flatten().tolist()
    assert len(set(targets)) == len(targets)
    length = words // columns
    assert columns * length - len(targets) < columns * (context + 1), "less than one batch is left out"


def test_a_window_begins_with_the_last_word_of_the_one_before() -> None:
    windows = Windows(as_columns(np.arange(60, dtype=np.int32), 3, 4), 4)
    assert [item[0].tolist() for item in (windows[0], windows[1])] == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]
    with pytest.raises(IndexError):
        windows[len(windows)]


def test_ranks_share_the_columns_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = torch.arange(24).view(6, 4)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        shares.append(share_of_rank(columns))
    assert torch.equal(torch.cat(shares), columns)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 4)
    with pytest.raises(ConfigError, match=r"data\.batch_size is 6, which 4 processes"):
        share_of_rank(columns)


def data(path: Path, **options: int) -> ContiguousText:
    made = ContiguousText("mine", 10_000, path=str(path), batch_size=4, context=5, **options)
    made.setup()
    return made


def test_training_takes_the_text_in_order_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    made = data(written(tmp_path / "t", 900))
    whole = list(made.train_dataloader())
    assert len(whole) == (900 * 9 // 10 // 4 - 1) // 5
    words = made.vocabulary.decode(torch.cat([batch[0, :-1] for batch in whole]))
    assert words == [f"w{i}" for i in range(len(words))]
    loader = made.train_dataloader()
    list(itertools.islice(loader, 7))
    resumed = made.train_dataloader()
    resumed.load_state_dict(loader.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(resumed, whole[7:], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(resumed, whole, strict=True)), "the next epoch is whole again"


def test_the_last_tenth_of_a_single_text_evaluates(tmp_path: Path) -> None:
    made = data(written(tmp_path / "t", 1000), evaluation_batches=3)
    trained, tested = (
        torch.cat([b.flatten() for b in loader]) for loader in (made.train_dataloader(), made.test_dataloader())
    )
    assert int(made.vocabulary.decode(tested)[0][1:]) == 900
    assert not set(trained.tolist()) & set(tested.tolist())
    watched, everything = list(made.val_dataloader()), list(made.test_dataloader())
    assert len(watched) == 3
    assert torch.equal(watched[0], everything[0])
    assert torch.equal(watched[-1], everything[-1])
    assert all(torch.equal(a, b) for a, b in zip(watched, made.val_dataloader(), strict=True))


def test_the_share_of_unknown_words_is_said_and_a_large_one_with_its_remedies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "t", 900)
    with caplog.at_level("INFO"):
        data(path)
    assert "t: 896 words, and a vocabulary of 901; 0.0% of the words to train on" in caplog.text
    few = ContiguousText("mine", 91, path=str(path), batch_size=4, context=5)
    with caplog.at_level("WARNING"):
        few.setup()
    for part in (
        "100.0% of those to evaluate on are unknown",
        "data.vocabulary_size (now 91)",
        "data.tokens=characters",
    ):
        assert part in caplog.records[-1].getMessage()
    with pytest.raises(ConfigError, match=r"data\.tokens is 'letters'"):
        ContiguousText("mine", 91, path=str(path), tokens="letters")


def test_more_evaluation_batches_than_there_are_means_all_of_them_once(tmp_path: Path) -> None:
    made = data(written(tmp_path / "t", 600), evaluation_batches=99)
    assert len(made.val_dataloader()) == len(made.test_dataloader())


def test_loading_draws_nothing_from_the_global_random_state(tmp_path: Path) -> None:
    made = data(written(tmp_path / "t", 600))
    before = torch.get_rng_state()
    for loader in (made.train_dataloader(), made.val_dataloader(), made.test_dataloader()):
        list(loader)
    assert torch.equal(torch.get_rng_state(), before)


def test_words_of_the_evaluation_text_that_training_does_not_know_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x y " * 20)
    (tmp_path / "b").write_text("x z " * 20)
    made = ContiguousText(
        "pair", 10, DataFile(str(tmp_path / "a")), DataFile(str(tmp_path / "b")), batch_size=2, context=3
    )
    made.setup()
    assert made.vocabulary.decode(made.evaluation_windows[0][0]) == ["x", "<unk>", "x", "<unk>"]


@pytest.mark.parametrize(
    ("options", "words", "message"),
    [
        ({"batch_size": 0}, 500, r"data\.batch_size is 0"),
        ({"context": 0}, 500, r"data\.context is 0"),
        ({"vocabulary_size": 1}, 500, r"data\.vocabulary_size is 1"),
        ({"evaluation_batches": 0}, 500, r"data\.evaluation_batches is 0"),
        ({"context": 60}, 150, r"data\.path: the text has 135 words; data\.batch_size 4 .* take 244"),
        ({"context": 20}, 200, r"data\.path, the last tenth that evaluates: the text has 20 words"),
    ],
)
def test_settings_that_give_no_batch_are_named(tmp_path: Path, options: dict, words: int, message: str) -> None:
    path = written(tmp_path / "t", words)
    with pytest.raises(ConfigError, match=message):
        ContiguousText(**{"name": "t", "vocabulary_size": 99, "path": str(path), "batch_size": 4} | options).setup()


def test_neither_a_path_nor_two_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.path is null"):
        ContiguousText("none", 10)


def test_a_missing_text_is_named_with_its_setting(tmp_path: Path) -> None:
    made = ContiguousText("pair", 10, DataFile(str(tmp_path / "a")), DataFile(str(tmp_path / "b")))
    with pytest.raises(ConfigError, match=r"data\.train: .*a is missing; put it into the folder"):
        made.setup()


@pytest.mark.skipif(not (DATA / "wikitext2_valid.txt").is_file(), reason="REPRISE_DATA has no text/wikitext2_valid.txt")
def test_wikitext_has_its_published_number_of_words() -> None:
    made = ContiguousText(
        "valid", 33_278, *(DataFile(str(DATA / f"wikitext2_{split}.txt")) for split in ("valid", "test"))
    )
    made.setup()
    assert [made.train_windows.columns.numel() // 20, made.evaluation_windows.columns.numel() // 20] == [
        213_886 // 20,
        241_211 // 20,
    ]
