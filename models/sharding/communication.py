"""What an all-to-all costs each of a fixed number of devices (docs/papers/neuroshard.md#4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, cat

from models.encoders.mlp import Standardize, mlp
from models.regressor import Predictor


class CommunicationCost(Predictor):
    """From the sums of dimensions, and for the forward pass the moments at which devices begin, to ms for each device.

    Parameters
    ----------
    devices
        D.
    starts
        Whether the moments are an input.
    widths
        Of the layers between.
    ordered
        Whether devices are sorted by their sums first, and the outputs put back: the costs do not depend on how devices are
        numbered.
    """

    def __init__(
        self, devices: int, starts: bool, widths: Sequence[int] = (128, 64, 32, 16), ordered: bool = False
    ) -> None:
        super().__init__()
        self.devices, self.starts, self.ordered = devices, starts, ordered
        inputs = devices * (1 + starts)
        self.standardize = Standardize(inputs)
        self.layers = mlp([inputs, *widths, devices])

    def fit_inputs(  # type: ignore[override]
        self, dim_sums: Float[Tensor, "plans devices"], start: Float[Tensor, "plans devices"] | None = None
    ) -> None:
        """Standardise over all samples."""
        self.standardize.fit(self.inputs(dim_sums, start))

    def inputs(
        self, dim_sums: Float[Tensor, "plans devices"], start: Float[Tensor, "plans devices"] | None = None
    ) -> Float[Tensor, "plans inputs"]:
        """What the constants of :class:`~models.encoders.mlp.Standardize` are measured on."""
        if self.ordered:
            order = dim_sums.argsort(dim=1, descending=True, stable=True)
            dim_sums, start = dim_sums.gather(1, order), None if start is None else start.gather(1, order)
        return cat([dim_sums, start], dim=1) if self.starts and start is not None else dim_sums

    def forward(
        self, dim_sums: Float[Tensor, "plans devices"], start: Float[Tensor, "plans devices"] | None = None
    ) -> Float[Tensor, "plans devices"]:
        """ms of each device."""
        found = self.layers(self.standardize(self.inputs(dim_sums, start)))
        if not self.ordered:
            return found
        order = dim_sums.argsort(dim=1, descending=True, stable=True)
        return found.gather(1, order.argsort(dim=1))
