"""PAWS: views are classified alike by their similarity to a labelled support (Assran et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


@full_precision
def paws(
    anchors: Sequence[Float[Tensor, "batch width"]],
    targets: Sequence[Float[Tensor, "batch width"]],
    support: Float[Tensor, "support width"],
    support_labels: Float[Tensor, "support classes"],
    temperature: float = 0.1,
    sharpening: float = 0.25,
    entropy_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of each anchor view to the sharpened mean target of the other views, minus weighted mean entropy.

    Predictions are ``softmax(cosine to the support / T) labels``; an anchor's target is the mean of the sharpened
    predictions of the targets i != j. The entropy is that of the mean sharpened anchor prediction over all views and
    rows. Collective.

    Parameters
    ----------
    anchors
        z of every view, the global ones first.
    targets
        z of the global views, in the same order; no gradient reaches them.
    support
        z of this process's labelled images; those of all processes are used.
    support_labels
        One-hot or smoothed labels of the support, rows of sum 1.
    temperature
        T.
    sharpening
        Exponent 1/this of predictions that are sharpened.
    entropy_weight
        Weight of the entropy, which is to be large.

    Raises
    ------
    ConfigError
        A temperature is not positive, an anchor has no target, or the shapes do not belong together.
    """
    check_positive("paws", temperature=temperature, sharpening=sharpening)
    if len(targets) < 2 or len(anchors) < len(targets):
        raise ConfigError(
            f"paws got {len(anchors)} anchor and {len(targets)} target views; give 2 or more targets among them"
        )
    check_views("paws", *anchors, *targets, rows=1)
    if len(support) != len(support_labels):
        raise ConfigError(f"paws got {len(support_labels)} labels for a support of {len(support)}; label every image")
    keys, labels = gather(functional.normalize(support)), gather(support_labels)

    def predict(z: Tensor) -> Tensor:
        return (functional.normalize(z) / temperature @ keys.T).softmax(1) @ labels

    with torch.no_grad():
        sharp = torch.stack([_sharpened(predict(z), sharpening) for z in targets])
    cross_entropy, mean = keys.new_zeros(()), keys.new_zeros(labels.shape[1])
    for j, z in enumerate(anchors):
        prediction = predict(z)
        others = [i for i in range(len(targets)) if i != j]
        cross_entropy = cross_entropy - (sharp[others].mean(0) * _log(prediction)).sum(1).mean() / len(anchors)
        mean = mean + _sharpened(prediction, sharpening).mean(0) / len(anchors)
    mean = mean_over_processes(mean)
    return mean_over_processes(cross_entropy) + entropy_weight * (mean * _log(mean)).sum()


def _log(p: Tensor) -> Tensor:
    """ln p, finite where p is 0."""
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()


def _sharpened(p: Tensor, sharpening: float) -> Tensor:
    return (_log(p) / sharpening).softmax(1)
