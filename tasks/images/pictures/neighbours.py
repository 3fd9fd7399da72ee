"""Queries and the images that the encoder finds most alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from runs.figures import COLOURS, literal, png
from tasks.images.pictures.mosaic import mosaic, show
from tasks.images.pictures.picture import Picture, spread_over
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.knn import nearest


def neighbours_figure(
    queries: Float[Tensor, "queries channels height width"],
    neighbours: Float[Tensor, "queries k channels height width"],
    cosines: Float[Tensor, "queries k"],
    query_labels: Int[Tensor, " queries"] | None = None,
    neighbour_labels: Int[Tensor, "queries k"] | None = None,
    classes: Sequence[str] | None = None,
) -> bytes:
    """PNG with a row per query: the query, then its neighbours with their cosines, the nearest first.

    Where there are labels, neighbours of the query's class have a green frame and the others an orange one.

    Parameters
    ----------
    queries, neighbours
        Colours on [0, 1].
    classes
        Names of the labels.
    """
    right, wrong = COLOURS[2], COLOURS[1]
    figure, grid = mosaic(len(queries), 1 + neighbours.shape[1])
    for row, axes in enumerate(grid):
        label = None if query_labels is None else int(query_labels[row])
        name = "query" if label is None else literal(classes[label][:24]) if classes else f"class {label}"
        show(axes[0], queries[row], name)
        for column in range(neighbours.shape[1]):
            frame = None
            if label is not None and neighbour_labels is not None:
                frame = right if int(neighbour_labels[row, column]) == label else wrong
            show(axes[column + 1], neighbours[row, column], f"{float(cosines[row, column]):.2f}", frame)
    return png(figure)


@final
@dataclass(frozen=True)
class NeighboursPicture(Picture):
    """Test images beside the training images nearest to them.

    Parameters
    ----------
    queries, k
        Rows, and neighbours in a row.
    """

    queries: int = 8
    k: int = 8

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes:
        """PNG of the neighbours by cosine of h."""
        images = parts.images_of("neighbours")
        rows = spread_over(images.test, self.queries)
        found = nearest(parts.test.h[rows], parts.train.h, min(self.k, len(parts.train)))
        shown = torch.stack([images.colours(images.train, indices) for indices in found.indices])
        labels, bank = parts.test.labels, parts.train.labels
        return neighbours_figure(
            images.colours(images.test, rows),
            shown,
            found.cosines,
            None if labels is None else labels[rows],
            None if bank is None else bank[found.indices],
            images.train.classes,
        )
