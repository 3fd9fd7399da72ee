"""The nearest-neighbour vote against the reference file, brute force and hand-made ties."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.knn import KNN, Neighbours, nearest, vote

REFERENCE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ssl" / "reference_losses.npz"


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def brute_force(queries: torch.Tensor, bank: torch.Tensor, k: int) -> list[list[int]]:
    """Neighbours by sorting (minus cosine, position)."""
    cosines = torch.nn.functional.normalize(queries, dim=1) @ torch.nn.functional.normalize(bank, dim=1).T
    return [sorted(range(len(bank)), key=lambda j: (-float(row[j]), j))[:k] for row in cosines]


@pytest.mark.skipif(not REFERENCE.exists(), reason=f"no {REFERENCE}; set REPRISE_DATA")
@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_predictions_are_those_of_the_reference_file(chunk: int) -> None:
    with np.load(REFERENCE, allow_pickle=False) as file:
        queries, bank = torch.from_numpy(file["knn_query"]), torch.from_numpy(file["knn_bank"])
        labels, expected = torch.from_numpy(file["knn_labels"]), torch.from_numpy(file["knn_pred_k20_t0.1"])
    predicted = vote(nearest(queries, bank, k=20, chunk=chunk), labels, int(labels.max()) + 1, temperature=0.1)
    assert torch.equal(predicted, expected)


@given(st.integers(1, 30), st.integers(0, 1000), st.integers(1, 9))
def test_neighbours_are_those_of_brute_force_with_the_lower_of_equals(k: int, seed: int, chunk: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    axes = torch.cat([torch.eye(2), -torch.eye(2), torch.zeros(1, 2)]).double()  # cosines without rounding, many ties
    bank = axes[torch.randint(5, (30,), generator=draws)]
    queries = axes[torch.randint(5, (8,), generator=draws)]
    assert nearest(queries, bank, k, chunk).indices.tolist() == brute_force(queries, bank, k)


def test_ties_at_the_k_th_place_go_to_the_lower_index() -> None:
    bank = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]])
    found = nearest(torch.tensor([[5.0, 0.0]]), bank, k=2)
    assert found.indices.tolist() == [[1, 2]]
    assert found.cosines.tolist() == [[1.0, 1.0]]


def test_votes_are_weighted_by_the_exponential_of_the_cosine_over_the_temperature() -> None:
    neighbours = Neighbours(torch.tensor([[0.9, 0.6, 0.6]]), torch.tensor([[0, 1, 2]]))
    labels = torch.tensor([1, 0, 0])
    flip = 0.3 / math.log(2)  # at this temperature one vote at .9 weighs two at .6
    assert vote(neighbours, labels, 2, flip * 0.99).tolist() == [1]
    assert vote(neighbours, labels, 2, flip * 1.01).tolist() == [0]
    assert vote(neighbours, labels, 2, 1e-9).tolist() == [1]  # exp(0.9 / 1e-9) overflows unless shifted


def parts(labels: torch.Tensor | None = None, k: int = 40) -> FeatureParts:
    labels = torch.arange(k) % 3 if labels is None else labels
    bank = Features(torch.nn.functional.one_hot(labels, 3).float() + 0.1 * normal(len(labels), 3).float(), labels)
    return FeatureParts(bank, bank, bank.rows(torch.arange(12)), classes=3)


def test_well_separated_classes_are_all_right() -> None:
    assert KNN(k=5).evaluate(parts()) == {"knn": 100.0}
    assert KNN(name="knn_k9", k=9, temperature=0.1).evaluate(parts()) == {"knn_k9": 100.0}


def test_accuracy_is_a_percentage_of_the_test_part() -> None:
    whole = parts()
    wrong = Features(whole.test.h, (whole.test.labels + (torch.arange(12) < 3)) % 3)  # type: ignore[operator]
    assert KNN(k=5).evaluate(FeatureParts(whole.train, whole.validation, wrong, 3)) == {"knn": 75.0}


@pytest.mark.parametrize("settings", [{"k": 41}, {"k": 0}])
def test_k_above_the_bank_or_below_one_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"knn\.k is .* the bank holds 40 images; give 1 to 40"):
        KNN(**settings).evaluate(parts())  # type: ignore[arg-type]


def test_bad_temperature_missing_labels_and_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConfigError, match="temperature is 0"):
        KNN(temperature=0)
    bare = Features(normal(5, 3))
    with pytest.raises(ConfigError, match="protocol knn needs labels"):
        KNN(k=2).evaluate(FeatureParts(bare, bare, bare, 0))
    whole = parts()
    whole.test.h[4] = math.nan
    with pytest.raises(ConfigError, match="h of the test part: 1 of 12 images"):
        KNN(k=5).evaluate(whole)
