"""Tables: their parts, their views and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.tabular.masking import FeatureMasking
from data.tabular.module import StoredRows, TableData
from data.tabular.table import Table, bundled
from runs.errors import ConfigError, InvalidProblem, MissingDependency

pytest.importorskip("sklearn")
WINE: dict[str, Any] = {
    "name": "wine",
    "table": "wine",
    "features": 13,
    "labels": 3,
    "masking": FeatureMasking(),
    "batch_size": 16,
    "seed": 0,
}


def wine(**changes: Any) -> TableData:
    return TableData(**{**WINE, **changes})


@pytest.mark.parametrize(("name", "shape", "classes"), [("digits", (1797, 64), 10), ("wine", (178, 13), 3)])
def test_bundled_tables_are_those_of_scikit_learn(name: str, shape: tuple[int, int], classes: int) -> None:
    table = bundled(name)
    assert tuple(table.rows.shape) == shape
    assert len(table.classes) == classes
    assert table.labels.bincount().min() > 0


def test_the_parts_share_out_the_rows_by_class() -> None:
    data = wine()
    rows = [{tuple(row) for row in data.clean(part).rows.tolist()} for part in ("train", "validation", "test")]
    assert set().union(*rows) == {tuple(row) for row in bundled("wine").rows.tolist()}
    assert sum(len(part) for part in rows) == len(set().union(*rows))
    whole = bundled("wine").labels.bincount()
    for part, share in (("validation", 0.2), ("test", 0.25)):
        assert (data.clean(part).labels.bincount() - share * whole).abs().max() <= 1


def test_the_parts_do_not_depend_on_the_seed_of_the_run() -> None:
    assert wine(seed=5).clean("test").identity == wine().clean("test").identity
    assert wine(split_seed=5).clean("test").identity != wine().clean("test").identity


def test_rows_are_standardised_by_the_training_part_alone() -> None:
    data = wine()
    train, test = (torch.cat([rows for rows, _, _ in data.clean_loader(part, 50)]) for part in ("train", "test"))
    torch.testing.assert_close(train.mean(0), torch.zeros(13), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0), torch.ones(13), atol=1e-4, rtol=0)
    assert test.mean(0).abs().max() > 1e-3


def test_a_feature_that_never_varies_stays_finite() -> None:
    data = TableData(**{**WINE, "name": "digits", "table": "digits", "features": 64, "labels": 10})
    assert all(rows.isfinite().all() for rows, _, _ in data.clean_loader("train", 500))


def test_an_epoch_has_every_row_at_most_once_and_full_batches() -> None:
    batches = list(wine().train_dataloader())
    assert all(isinstance(batch, StoredRows) and len(batch.rows) == 16 for batch in batches)
    indices = torch.cat([batch.indices for batch in batches]).tolist()
    assert len(indices) == len(set(indices)) == 16 * (len(wine().clean("train")) // 16)


@given(share=st.floats(0.1, 0.9))
def test_about_the_share_is_hidden_and_the_rest_is_as_it_was(share: float) -> None:
    rows = torch.ones(400, 20)
    first, second = FeatureMasking(2, share)(rows, torch.arange(400), seed=1, epoch=0)
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    assert abs(float((first == 0).float().mean()) - share) < 0.05
    assert not torch.equal(first, second)


def test_the_views_of_a_row_depend_on_its_index_and_not_on_its_batch() -> None:
    rows, masking = torch.randn(8, 5), FeatureMasking()
    whole = masking(rows, torch.arange(8), seed=3, epoch=2)
    part = masking(rows[4:], torch.arange(4, 8), seed=3, epoch=2)
    assert all(torch.equal(a[4:], b) for a, b in zip(whole, part, strict=True))
    assert not torch.equal(whole[0], masking(rows, torch.arange(8), seed=3, epoch=1)[0])


def test_a_share_of_zero_leaves_rows_alone() -> None:
    rows = torch.randn(4, 5)
    (view,) = FeatureMasking(1, 0.0)(rows, torch.arange(4), 0, 0)
    assert torch.equal(view, rows)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wine(table="wines"), "data.table is 'wines'; did you mean 'wine'"),
        (lambda: wine(features=12), "data.features is 12, and table 'wine' has 13"),
        (lambda: wine(labels=2), "data.labels is 2"),
        (lambda: wine(batch_size=1), "data.batch_size is 1"),
        (lambda: wine(test_fraction=0.0), "data.test_fraction is 0"),
        (lambda: wine(test_fraction=0.9), "leave nothing to train on"),
        (lambda: wine().clean("tset"), "did you mean 'test'"),
        (lambda: wine(batch_size=150).train_dataloader(), "data.batch_size is 150"),
        (lambda: FeatureMasking(0), "count is 0"),
        (lambda: FeatureMasking(2, 1.0), "share 1.0"),
    ],
)
def test_settings_that_fit_no_table_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (np.zeros((0, 3)), [], "shape"),
        (np.zeros(3), [0, 0, 0], "shape"),
        (np.array([[0.0], [np.nan]]), [0, 1], "row 1 has a value that is not finite"),
        (np.zeros((2, 1)), [0], "1 labels for 2 rows"),
        (np.zeros((2, 1)), [0, 2], "labels from 0 to 2"),
    ],
)
def test_what_is_no_table_is_named(rows: np.ndarray, labels: list[int], message: str) -> None:
    table = Table(torch.from_numpy(rows), torch.tensor(labels, dtype=torch.long), ("a", "b"), "t")
    with pytest.raises(InvalidProblem, match=message):
        table.validate()


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDependency, match="tabular"):
        bundled("wine")
