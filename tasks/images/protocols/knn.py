"""The k-nearest-neighbour vote, exact and in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol, Sizes
from tasks.images.representation.spectrum import require_finite


class Neighbours(NamedTuple):
    """The k rows of a bank nearest to each query: cosines, largest first, and positions, the lower first of equals."""

    cosines: Float[Tensor, "queries k"]
    indices: Int[Tensor, "queries k"]


def nearest(
    queries: Float[Tensor, "queries dimension"],
    bank: Float[Tensor, "bank dimension"],
    k: int,
    chunk: int = 1024,
    name: str = "knn",
) -> Neighbours:
    """The k nearest rows of ``bank`` by cosine, exactly.

    Parameters
    ----------
    chunk
        Queries compared with the whole bank at a time; memory is chunk * len(bank) numbers.
    name
        Whose ``k`` it is, for the error.

    Raises
    ------
    ConfigError
        ``k`` is not between 1 and the size of the bank.
    """
    if not 1 <= k <= len(bank):
        raise ConfigError(f"{name}.k is {k} and the bank holds {len(bank)} images; give 1 to {len(bank)}")
    unit = functional.normalize(bank, dim=1)
    found = [_nearest_of(rows @ unit.T, k) for rows in functional.normalize(queries, dim=1).split(chunk)]
    return Neighbours(torch.cat([each.cosines for each in found]), torch.cat([each.indices for each in found]))


def _nearest_of(cosines: Float[Tensor, "queries bank"], k: int) -> Neighbours:
    values, indices = cosines.topk(k)
    last = values[:, -1:]
    tied = ((cosines == last).sum(1) > (values == last).sum(1)).nonzero().flatten()
    if len(tied):  # topk takes any of several that are equally far: here it matters which
        whole = cosines[tied].sort(dim=1, descending=True, stable=True)
        values[tied], indices[tied] = whole.values[:, :k], whole.indices[:, :k]
    by_index = indices.argsort(dim=1)
    values, indices = values.gather(1, by_index), indices.gather(1, by_index)
    by_cosine = values.sort(dim=1, descending=True, stable=True)
    return Neighbours(by_cosine.values, indices.gather(1, by_cosine.indices))


def vote(
    neighbours: Neighbours, labels: Int[Tensor, " bank"], classes: int, temperature: float
) -> Int[Tensor, " queries"]:
    """The class with the largest sum of exp(cosine / temperature) among the neighbours; the lower of equal ones."""
    nearest_first = neighbours.cosines[:, :1]
    weights = ((neighbours.cosines - nearest_first) / temperature).exp()  # a factor per query changes no vote
    votes = torch.zeros(len(weights), classes, dtype=weights.dtype, device=weights.device)
    return votes.scatter_add(1, labels.long()[neighbours.indices], weights).argmax(1)


def accuracy(predicted: Int[Tensor, " images"], labels: Int[Tensor, " images"]) -> float:
    """Share of right classes, in percent."""
    return 100.0 * float((predicted == labels).double().mean())


@final
@dataclass(frozen=True)
class KNN(Protocol):
    """Accuracy of the vote of the k nearest clean training images on the test images (docs/papers/ssl.md#5.1).

    Parameters
    ----------
    name
        Of the metric.
    k
        Neighbours.
    temperature
        T of the weights exp(cosine / T).
    chunk
        Queries at a time.

    References
    ----------
    Wu et al., Unsupervised feature learning via non-parametric instance discrimination (2018), section 3.4.
    """

    name: str = "knn"
    k: int = 20
    temperature: float = 0.07
    chunk: int = 1024

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"{self.name}.temperature is {self.temperature}; give a positive number")
        if self.chunk < 1:
            raise ConfigError(f"{self.name}.chunk is {self.chunk}; give at least 1")

    def check(self, sizes: Sizes) -> None:
        """There must be k training images."""
        if not 1 <= self.k <= sizes.train:
            raise ConfigError(f"k is {self.k}, and there are {sizes.train} training images; give 1 to {sizes.train}")

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``name``: accuracy in percent."""
        bank, queries = parts.train, parts.test
        labels, truth = bank.classes_of(self.name), queries.classes_of(self.name)
        for part, features in (("training", bank), ("test", queries)):
            require_finite(features.h, f"{self.name}: h of the {part} part")
        neighbours = nearest(queries.h.to(parts.device), bank.h.to(parts.device), self.k, self.chunk, self.name)
        predicted = vote(neighbours, labels.to(parts.device), parts.classes, self.temperature)
        return {self.name: accuracy(predicted.cpu(), truth)}
