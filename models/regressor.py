"""What a regression trains: a network of named inputs, and the scale on which its targets are learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from models.encoders.mlp import Standardize
from runs.errors import ConfigError

Inputs = Mapping[str, Tensor]


class Predictor(nn.Module, ABC):
    """Abstract: a network ``predictor(**inputs)`` that measures the constants of its inputs by itself."""

    @abstractmethod
    def fit_inputs(self, **inputs: Any) -> None:
        """Measure on all inputs of the training what brings them to one scale."""


class ClosedForm(ABC):
    """Abstract: what a predictor is, too, whose weights follow from the samples without descent; they are buffers."""

    @abstractmethod
    def solve(self, inputs: Inputs, targets: Float[Tensor, "samples ..."]) -> None:
        """Take the weights of least squares."""


class TargetScale(nn.Module):
    """The scale on which targets are learned; its constants belong to the checkpoint.

    Parameters
    ----------
    logarithm
        Targets are positive, and errors count relative to them.
    standardize
        Less their mean, over their standard deviation, all outputs together, so that errors keep their proportions.
    """

    def __init__(self, logarithm: bool = False, standardize: bool = False) -> None:
        super().__init__()
        self.logarithm = logarithm
        self.constants = Standardize(1) if standardize else None

    def fit(self, targets: Float[Tensor, "samples ..."]) -> None:
        """Measure the constants.

        Raises
        ------
        ConfigError
            A target has no logarithm.
        """
        if self.logarithm and not (targets > 0).all():
            raise ConfigError(
                f"model.scale.logarithm is true, and a target is {float(targets.min()):g}; choose false for such targets"
            )
        if self.constants is not None:
            self.constants.fit((targets.log() if self.logarithm else targets).reshape(-1, 1))

    def forward(self, targets: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """On the scale of learning."""
        scaled = targets.log() if self.logarithm else targets
        return scaled if self.constants is None else self.constants(scaled)

    def inverse(self, outputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """In the units of the targets."""
        scaled = outputs if self.constants is None else outputs * self.constants.scale + self.constants.mean
        return scaled.exp() if self.logarithm else scaled


class Regressor(nn.Module):
    """A network, and the scale on which its targets are learned.

    Parameters
    ----------
    network
        From inputs to outputs on that scale.
    scale
        None for the targets' own.
    """

    def __init__(self, network: Predictor, scale: TargetScale | None = None) -> None:
        super().__init__()
        self.network, self.scale = network, scale or TargetScale()

    def fit(self, inputs: Inputs, targets: Float[Tensor, "samples ..."]) -> None:
        """Measure the constants of inputs and targets on all of the training, and take what has a closed form.

        Raises
        ------
        ConfigError
            The targets do not fit the scale.
        """
        self.network.fit_inputs(**inputs)
        self.scale.fit(targets)
        if isinstance(self.network, ClosedForm):
            self.network.solve(inputs, self.scale(targets))

    def forward(self, **inputs: Tensor) -> Float[Tensor, "batch ..."]:
        """Predictions in the units of the targets."""
        return self.scale.inverse(self.network(**inputs))

    def loss(self, inputs: Inputs, targets: Float[Tensor, "batch ..."]) -> Float[Tensor, ""]:
        """Mean squared error on the scale of learning."""
        return nn.functional.mse_loss(self.network(**inputs), self.scale(targets))
