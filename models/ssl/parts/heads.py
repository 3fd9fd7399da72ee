"""Projector g and predictor q: one multi-layer perceptron, whose every layer can be probed."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts.iter_norm import IterNorm
from runs.errors import ConfigError, nearest

Activation = Literal["relu", "gelu"]
Norm = Literal["batch", "none"]
LastNorm = Literal["none", "batch", "iter"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
NORMS = ("none", "batch", "iter")


class Projector(nn.Module):
    """``layers`` linear maps, with a norm and an activation between them (docs/papers/ssl.md#2.3).

    A linear map that a norm follows has no bias: the norm would remove it.

    Parameters
    ----------
    inputs
        Width of the input.
    hidden
        Of every layer but the last.
    out
        D, of the last layer.
    layers
        Number of linear maps; 0 is the identity, whose D is ``inputs``.
    activation
        "relu" or "gelu".
    norm
        Between the layers, "batch" or "none".
    last_norm
        After the last layer: "none", "batch", or "iter" for iterative whitening (vibcreg).
    last_affine
        Whether the last norm has a scale and a shift of its own.
    bias
        Of the linear maps that no norm follows.
    groups
        Of the iterative whitening.

    Attributes
    ----------
    width
        D, the dimension of z.

    Raises
    ------
    ConfigError
        A name is unknown, or a size is not positive.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        out: int,
        layers: int = 2,
        activation: Activation = "relu",
        norm: Norm = "batch",
        last_norm: LastNorm = "none",
        last_affine: bool = True,
        bias: bool = True,
        groups: int = 64,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ConfigError(f"activation of the projector is '{activation}'{nearest(activation, tuple(ACTIVATIONS))}")
        for name, chosen, known in (("norm", norm, NORMS[:2]), ("last_norm", last_norm, NORMS)):
            if chosen not in known:
                raise ConfigError(f"{name} of the projector is '{chosen}'; choose {', '.join(known)}")
        for name, value, least in (
            ("inputs", inputs, 1),
            ("hidden", hidden, 1),
            ("out", out, 1),
            ("layers", layers, 0),
        ):
            if value < least:
                raise ConfigError(f"{name} of the projector is {value}; give at least {least}")
        self.width = out if layers else inputs
        self.blocks = nn.ModuleList()
        for index in range(layers):
            last = index == layers - 1
            size = out if last else hidden
            chosen = last_norm if last else norm
            block: list[nn.Module] = [nn.Linear(inputs, size, bias=bias and chosen == "none")]
            if chosen == "batch":
                block.append(nn.BatchNorm1d(size, affine=last_affine or not last))
            elif chosen == "iter":
                block.append(IterNorm(size, groups, affine=last_affine))
            self.blocks.append(nn.Sequential(*block, *([] if last else [ACTIVATIONS[activation]()])))
            inputs = size

    def outputs(self, h: Float[Tensor, "batch inputs"]) -> list[Float[Tensor, "batch size"]]:
        """Outputs of every layer, the last of which is z; none for the identity."""
        outputs = []
        for block in self.blocks:
            h = block(h)
            outputs.append(h)
        return outputs

    def forward(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch width"]:
        """z of each row."""
        for block in self.blocks:
            h = block(h)
        return h
