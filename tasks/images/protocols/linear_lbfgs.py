"""The linear probe as a convex problem: softmax regression on standardised features by L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts, Features
from tasks.images.protocols.knn import accuracy
from tasks.images.protocols.protocol import Protocol
from tasks.images.representation.spectrum import require_finite

CONSTANT = 1e-6
"""A feature whose standard deviation is below this share of its mean varies by rounding only, and keeps its scale."""


class Standardisation(NamedTuple):
    """Mean and standard deviation of every feature on the training part."""

    mean: Float[Tensor, " width"]
    scale: Float[Tensor, " width"]

    @classmethod
    def of(cls, h: Float[Tensor, "images width"]) -> Standardisation:
        """Of some features; those that do not vary keep their scale."""
        scale, mean = torch.std_mean(h.double(), 0, correction=0)
        scale = torch.where(scale > CONSTANT * mean.abs(), scale, torch.ones_like(scale))
        return cls(mean.to(h.dtype), scale.to(h.dtype))

    def __call__(self, h: Float[Tensor, "images width"]) -> Float[Tensor, "images width"]:
        return (h - self.mean) / self.scale


class SoftmaxRegression(NamedTuple):
    """Logits W x + b."""

    weight: Float[Tensor, "classes width"]
    bias: Float[Tensor, " classes"]

    def predict(self, x: Float[Tensor, "images width"]) -> Int[Tensor, " images"]:
        """The class with the largest logit."""
        return functional.linear(x, self.weight, self.bias).argmax(1)


def fit(
    x: Float[Tensor, "images width"],
    labels: Int[Tensor, " images"],
    classes: int,
    l2: float,
    start: SoftmaxRegression | None = None,
    iterations: int = 300,
    tolerance: float = 1e-5,
) -> SoftmaxRegression:
    """Minimise mean cross entropy + l2 / 2 ||W||^2; the bias is free.

    That is scikit-learn's logistic regression with C = 1 / (l2 images).

    Parameters
    ----------
    start
        Where to begin; zeros by default.
    iterations
        At most so many steps of L-BFGS.
    tolerance
        Stops when no entry of the gradient is larger.
    """
    zero = SoftmaxRegression(x.new_zeros(classes, x.shape[1]), x.new_zeros(classes))
    weight, bias = (part.clone().requires_grad_() for part in start or zero)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=iterations,
        tolerance_grad=tolerance,
        tolerance_change=torch.finfo(x.dtype).eps ** 2,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(functional.linear(x, weight, bias), labels) + l2 / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(objective)
    return SoftmaxRegression(weight.detach(), bias.detach())


@final
@dataclass(frozen=True)
class LinearLBFGS(Protocol):
    """Test accuracy of the softmax regression whose L2 penalty did best on the validation part.

    Features are standardised with the training part's mean and deviation. The path of penalties goes from strong to weak,
    each begun where the last ended; of equally good ones the strongest is taken.

    Parameters
    ----------
    name
        Of the metric; the chosen penalty is ``<name>_l2``.
    l2
        Penalties to choose from.
    iterations, tolerance
        As in :func:`fit`.
    """

    name: str = "linear"
    l2: Sequence[float] = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    iterations: int = 300
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if not self.l2 or not all(penalty >= 0 for penalty in self.l2):
            raise ConfigError(f"{self.name}.l2 is {list(self.l2)}; give one or more penalties of at least 0")
        if self.iterations < 1:
            raise ConfigError(f"{self.name}.iterations is {self.iterations}; give at least 1")

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``name``: accuracy in percent; ``<name>_l2``: the penalty."""
        standardise = Standardisation.of(parts.train.h)
        (x, labels), (seen, right), (unseen, truth) = (
            self._ready(part, standardise, parts.device) for part in (parts.train, parts.validation, parts.test)
        )
        best, best_accuracy, best_l2 = None, -1.0, 0.0
        model: SoftmaxRegression | None = None
        for penalty in sorted(self.l2, reverse=True):
            model = fit(x, labels, parts.classes, penalty, model, self.iterations, self.tolerance)
            if (reached := accuracy(model.predict(seen), right)) > best_accuracy:
                best, best_accuracy, best_l2 = model, reached, penalty
        assert best is not None
        return {self.name: accuracy(best.predict(unseen), truth), f"{self.name}_l2": best_l2}

    def _ready(self, features: Features, standardise: Standardisation, device: torch.device) -> tuple[Tensor, Tensor]:
        require_finite(features.h, f"{self.name}: h")
        return standardise(features.h).to(device), features.classes_of(self.name).long().to(device)
