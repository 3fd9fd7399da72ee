"""Masked Siamese networks: masked views are assigned to prototypes as whole ones are (Assran et al., 2022)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive
from models.ssl.parts.state.reduce import mean_over_processes
from models.ssl.parts.state.sinkhorn import sinkhorn
from runs.errors import ConfigError


@full_precision
def msn(
    anchors: Float[Tensor, "views*batch width"],
    targets: Float[Tensor, "batch width"],
    prototypes: Float[Tensor, "prototypes width"],
    temperature: float = 0.1,
    sharpening: float = 0.25,
    iterations: int = 3,
    entropy_weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the anchors to balanced, sharpened targets ``+ weight (ln K - H(mean anchor))``. Collective.

    Assignments are softmax(cosine to the prototypes / T); targets have no gradient.

    Parameters
    ----------
    anchors
        z of the masked views, one view of the whole batch after the other.
    targets
        z of the teacher's view of the same images.
    prototypes
        K rows of any length.
    temperature
        T.
    sharpening
        Exponent 1/this of the targets' probabilities.
    iterations
        Of ``sinkhorn`` on them.
    entropy_weight
        Weight of the second term, which pulls the mean assignment to the uniform one.

    Raises
    ------
    ConfigError
        A temperature is not positive, or the anchors are not several views of the targets' images.
    """
    check_positive("msn", temperature=temperature, sharpening=sharpening)
    if not len(targets) or len(anchors) % len(targets):
        raise ConfigError(
            f"msn got {len(anchors)} anchors for {len(targets)} targets; give whole views of the same images"
        )
    unit = functional.normalize(prototypes)
    with torch.no_grad():
        sharp = (functional.normalize(targets) @ unit.T / temperature / sharpening).log_softmax(1)
        balanced = sinkhorn(sharp, 1.0, iterations)
    logits = functional.normalize(anchors) @ unit.T / temperature
    cross_entropy = functional.cross_entropy(logits, balanced.repeat(len(anchors) // len(targets), 1))
    mean = mean_over_processes(logits.softmax(1).mean(0))
    negative_entropy = torch.xlogy(mean, mean.clamp(min=torch.finfo(mean.dtype).tiny)).sum()
    return mean_over_processes(cross_entropy) + entropy_weight * (math.log(len(prototypes)) + negative_entropy)
