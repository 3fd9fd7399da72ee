"""The check against the published numbers can fail: it does when the model is not the paper's."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from scipy import stats

from data.text.sequences import SyntheticSequences
from data.text.synthetic import CoOccurrence
from models.text.one_layer import OneLayerTransformer
from runs.claims.published import load_published
from runs.claims.statistics import holm
from tasks.text.training_dynamics import Cell, token_counts

WORLD = CoOccurrence(num_last=1)
CELLS = [Cell(0.5, 1.0), Cell(0.5, 10.0), Cell(3.0, 1.0)]
SEEDS = range(10)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small products cost more to share between threads than to compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def batches() -> list[Any]:
    return list(SyntheticSequences("last_1", WORLD, replicas=len(SEEDS)).train_dataloader())


def entropy(cell: Cell, **options: Any) -> torch.Tensor:
    """Of figure 6, for each seed: the paper's setting, by a loop of this test's own."""
    model = OneLayerTransformer(WORLD.vocabulary_size, WORLD.context_size, WORLD.num_last, SEEDS, **options)
    rates = ((model.weights.Z, cell.eta_z), (model.weights.Y, cell.eta_z * cell.ratio))
    optimizer = torch.optim.SGD([{"params": [part], "lr": rate} for part, rate in rates], momentum=0.9)
    for batch in batches():
        optimizer.zero_grad()
        counts = token_counts(batch.tokens, WORLD.context_size)
        model.loss(WORLD.query[batch.classes], counts, WORLD.next_token[batch.classes]).sum().backward()
        optimizer.step()
    expected = 127 * WORLD.probabilities[:, : WORLD.context_size].float()
    with torch.no_grad():
        c = model.attention(WORLD.query.expand(len(SEEDS), -1), expected.expand(len(SEEDS), -1, -1))[:, 0]
    share = c.gather(-1, WORLD.distinct.expand(len(SEEDS), -1, -1)).double()
    return torch.special.entr(share / share.sum(-1, keepdim=True)).sum(-1).mean(-1)


def smallest_p(**options: Any) -> float:
    """Of Welch's tests of the cells against the published ones, adjusted as the ledger does."""
    published = {entry.method: entry for entry in load_published("scan_snap") if entry.dataset == "last_1"}
    found = []
    for cell in CELLS:
        ours, theirs = entropy(cell, **options), published[cell.label]
        assert theirs.value is not None and theirs.std is not None and theirs.n is not None
        mine = float(ours.mean()), float(ours.std()), len(ours)
        found.append(stats.ttest_ind_from_stats(*mine, theirs.value, theirs.std, theirs.n, equal_var=False).pvalue)
    return float(holm(found).min())


def test_the_paper_s_model_agrees_with_the_published_cells() -> None:
    assert smallest_p() > 0.05


@pytest.mark.parametrize("options", [{"normalization": "torch"}, {"normalization": "none"}])
def test_another_normalisation_does_not(options: dict[str, Any]) -> None:
    assert smallest_p(**options) < 0.01
