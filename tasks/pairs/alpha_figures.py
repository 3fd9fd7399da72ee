"""Figure of alpha-CL: the weights of an anchor's negatives, and how far their gradients are from DCL's. PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import softmax

from data.pairs.embeddings import EmbeddingPair
from tasks.pairs.labels import label
from tasks.panels import BLUE, ORANGE, panels, png


def alpha_figure(
    pair: EmbeddingPair, temperature: float, powers: Sequence[float], metrics: Mapping[str, float]
) -> bytes:
    """Weights over the cosines of the first anchor's negatives for each power; cosine to the gradient of DCL."""
    figure, axes = panels(2)
    z = np.concatenate([pair.first, pair.second])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    own = [0, len(pair.first)]
    cosines = np.sort(np.delete(z @ z[0], own))
    for position, power in enumerate(powers):
        weights = softmax(-((1 - cosines) ** (power / 2)) / temperature)
        shade = 0.3 + 0.7 * (position + 1) / len(powers)
        colour = ORANGE if power == 2 else BLUE
        axes[0].plot(cosines, weights * len(cosines), color=colour, alpha=shade, label=f"p = {power:g}")
    axes[0].set_xlabel("cosine of a negative")
    axes[0].set_title("weight over the mean weight, one anchor; orange: DCL's own")
    axes[0].legend()
    axes[1].plot(powers, [metrics[f"gradient_cosine_{label(power)}"] for power in powers], "o-", color=BLUE)
    axes[1].set_xlabel("p")
    axes[1].set_title("cosine of the gradients of alpha-CL and DCL")
    return png(figure)
